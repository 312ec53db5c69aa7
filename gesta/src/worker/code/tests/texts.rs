//! One sample a language.

pub(super) const RUST: &str = r##"//! Module doc.

use std::fmt;
use std::io; // trailing

mod other;

/// Max.
const MAX: usize = 3;

/// A point.
#[derive(Debug)]
pub struct Point<T> {
    /// x
    x: T,
}

impl<T> Point<T> {
    const ZERO: u8 = 0;

    /// Makes one.
    pub fn new(x: T) -> Self {
        fn tiny() {}
        Self { x }
    }

    fn b(&self) {} // trailing b
}

impl<T> fmt::Display for Point<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { Ok(()) }
}

trait Shape {
    /// area
    fn area(&self) -> f64;
    fn twice(&self) -> f64 { self.area() * 2.0 }
}

enum E { A, B }
type Alias = Vec<u8>;
macro_rules! m { () => {} }
mod one { fn line() {} }
struct A; struct B;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn works() {
    }
}
"##;

pub(super) const PYTHON: &str = r##"#!/usr/bin/env python
"""Module doc."""
import os
from sys import path

X = 1

@decorator
# comment
def top(a, b=2) -> int:
    """Doc."""
    def inner():
        return 1
    return inner()

class Foo(Base):
    """Foo doc."""
    y = 1

    # before
    @property
    def z(self):
        return 1

    class Inner:
        def q(self): pass

if True:
    def cond():
        pass
def test_it(): assert True
"##;

pub(super) const JAVASCRIPT: &str = r##"'use strict';
const fs = require('fs');
Foo.prototype.bar = function (a) { return a; };
exports.baz = function baz(a) { return a; };
(function () {
  function small() {}
  function large() {
    1;
    2;
    3;
    4;
    5;
    6;
  }
})();
class K extends L { #p() {} static s = function () {}; get v() { return 1; } }
describe('x', () => { it('works', () => {}); });
function a() {} function b() {}
"##;

pub(super) const TYPESCRIPT: &str = r##"import { a } from './a';
// between
import b from 'b';
export * from './x';

/** Doc of foo. */
export const foo = (x: number): number => {
  return x;
};

export const p = () => 1, q = () => 2;
const LIMIT = 3;

@Component({sel: 'x'})
export class Foo<T> extends Bar {
  private y = 1;
  handle = () => { return 1; };
  constructor(private z: number) { super(); }
  /** m */
  @dec() async m(): Promise<void> {}
  over(a: string): void;
}

export interface Shape { area(): number; }
export type T1 = { a: string };
export enum Color { Red, Green }
namespace NS { export function inNs() {} }
export default function main() { const z = () => 1; return z; }
declare function ext(a: string): void;
module.exports = { k: function () { return 1 }, l() {} };
"##;

pub(super) const TSX: &str = r##"import React from 'react';
export const App: React.FC<Props> = ({ a }) => <div>{a}</div>;
export const M = React.memo(({ b }) => {
  return <b>{b}</b>;
});
function Plain() { return <p/>; }
"##;

pub(super) const JAVA: &str = r##"package f;
import java.util.List;

/** Doc. */
@Entity
public class F<T> extends G {
    private int x;

    /** ctor */
    public F(int x) { this.x = x; }

    @Override
    public String toString() { return ""; }

    interface I { void a(); default void b() {} }
    enum E { A; void c() {} }
    record R(int a) {}
    private int last;
}
"##;

pub(super) const GO: &str = r##"// Package e does.
package e

import "fmt"

// A and B.
type (
	A struct{ x int }
	// B doc
	B interface{ M() }
)

// Server serves.
type Server[T any] struct {
	a int
}
type ID = string
type N int

// Start starts.
func (s *Server[T]) Start() error {
	f := func() {}
	return nil
}
func main() {}
var x = 1
"##;

pub(super) const MARKDOWN: &str = r##"Intro.

# One

text
```sh
# not heading
```
## Two ##
Setext
======
end
"##;

pub(super) const RST: &str = r##"=====
Title
=====

Sub
---
text

Sub2
----
"##;

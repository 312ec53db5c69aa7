# Each target is one script of infra/local. Settings are given as NAME=value on make's command line.
export REPO ONCE LOG AREA BUGS MINUTES SEED

.PHONY: help run test check generate bench bench-kafka chaos planted-bugs reset

help:
	@echo "make run       set everything up and show the main job   REPO=path of a repository, ONCE=1 ends after the job, LOG=kafka"
	@echo "make test      run every test against real parts         AREA=one part, such as event-log"
	@echo "make check     format, lints, architecture, generated files"
	@echo "make generate  write the generated files anew"
	@echo "make bench     measure, in the release profile"
	@echo "make bench-kafka   the same for commands, the log's writer and the public topics on Kafka"
	@echo "make chaos     replicas, projectors and broker killed and frozen under load   MINUTES=60, SEED=n of an earlier run"
	@echo "make planted-bugs   plant known bugs in a copy and see that the tests catch them   BUGS=some of their names, or ci"
	@echo "make reset     stop and remove all data of this checkout"

run:
	@infra/local/run.sh

test:
	@infra/local/test.sh

check:
	@infra/local/check.sh

generate:
	@infra/local/check.sh generate

bench:
	@infra/local/bench.sh

bench-kafka:
	@infra/local/bench.sh kafka

chaos:
	@infra/local/chaos.sh

planted-bugs:
	@infra/local/planted-bugs.sh

reset:
	@infra/local/reset.sh

//! Medians and ratios.

/// One stretch of one system.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figures {
    /// Answered commands per second.
    pub(crate) rate: f64,
    pub(crate) p50_micros: u32,
    pub(crate) p99_micros: u32,
}

/// Two stretches side by side.
pub(crate) struct Pair {
    pub(crate) gesta: Figures,
    pub(crate) anchor: Figures,
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Prints medians of both, and the median of the pairs' ratios.
pub(crate) fn print(pairs: &[Pair], pgbench: Option<f64>) {
    type Of = fn(&Figures) -> f64;
    let rows: [(&str, Of); 3] = [
        ("commands/s", |f| f.rate),
        ("p50 µs", |f| f64::from(f.p50_micros)),
        ("p99 µs", |f| f64::from(f.p99_micros)),
    ];
    println!("| figure | gesta | anchor | ratio |\n|---|---|---|---|");
    for (name, of) in rows {
        let gesta = median(pairs.iter().map(|pair| of(&pair.gesta)).collect());
        let anchor = median(pairs.iter().map(|pair| of(&pair.anchor)).collect());
        let ratio = median(pairs.iter().map(|pair| of(&pair.gesta) / of(&pair.anchor)).collect());
        println!("| {name} | {gesta:.0} | {anchor:.0} | {ratio:.2} |");
    }
    if let Some(rate) = pgbench {
        let gesta = median(pairs.iter().map(|pair| pair.gesta.rate).collect());
        println!("| against pgbench | {gesta:.0} | {rate:.0} | {:.2} |", gesta / rate);
    }
}

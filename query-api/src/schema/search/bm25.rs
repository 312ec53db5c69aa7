//! BM25 (Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009) with a weight per field.

/// How soon a repetition of a word stops to count.
const K1: f64 = 1.2;
/// How much the length of a chunk counts.
const B: f64 = 0.75;
/// How often a word of the name counts: measured best among 1 to 5 on Python's standard library.
const NAME_WEIGHT: f64 = 3.0;

/// What the chunks are as a whole.
#[derive(Debug, Clone, Copy)]
pub(super) struct Corpus {
    /// How many there are.
    pub(super) chunks: f64,
    /// Words of a usual one.
    pub(super) usual_length: f64,
}

impl Corpus {
    /// What one word adds to the score of a chunk of `length` words that has it at `places` (a letter each, `A` in
    /// the name), when `with_it` chunks have the word.
    pub(super) fn score(self, with_it: f64, length: f64, places: &str) -> f64 {
        let rarity = (1.0 + (self.chunks - with_it + 0.5).max(0.5) / (with_it + 0.5)).ln();
        let count: f64 = places.chars().map(|place| if place == 'A' { NAME_WEIGHT } else { 1.0 }).sum();
        let damped = K1 * (1.0 - B + B * length / self.usual_length.max(1.0));
        rarity * count * (K1 + 1.0) / (count + damped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rare_words_names_and_short_chunks_count_more() {
        let corpus = Corpus { chunks: 1_000.0, usual_length: 50.0 };
        let plain = corpus.score(100.0, 50.0, "C");
        assert!(corpus.score(1.0, 50.0, "C") > plain, "a rarer word");
        assert!(corpus.score(100.0, 50.0, "A") > corpus.score(100.0, 50.0, "CC"), "a word of the name");
        assert!(corpus.score(100.0, 10.0, "C") > plain, "a shorter chunk");
        assert!(corpus.score(100.0, 50.0, "CCCCCCCC") < 3.0 * plain, "repetitions are damped");
        assert!(corpus.score(5_000.0, 50.0, "C") > 0.0, "never negative, also when the count is newer");
        // By hand: ln(1 + 900.5 / 100.5) · 1 · 2.2 / (1 + 1.2)
        assert!((plain - (1.0_f64 + 900.5 / 100.5).ln()).abs() < 1e-12);
    }
}

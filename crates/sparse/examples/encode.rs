//! Codes of the signals in a file by the dictionary in another: `encode DICTIONARY SIGNALS LAMBDA TOLERANCE CODES`.
//!
//! DICTIONARY is an m x n array in `.npy`, an atom a row, as scikit-learn has them, and SIGNALS a count x n array. It writes
//! the codes, row by row, to CODES as a vector of count m numbers, and prints the sum of the gaps, the largest one, and the
//! seconds between having the arrays and having the codes.
use std::fs::File;
use std::path::Path;
use std::time::Instant;

use danskin_core::ctx::Ctx;
use danskin_data::{ReadOptions, read, write_vector};
use danskin_sparse::{Encoder, Penalties};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [dictionary, signals, lambda, tolerance, codes] = &arguments[..] else {
        return Err("expected DICTIONARY SIGNALS LAMBDA TOLERANCE CODES".into());
    };
    let [dictionary, signals] = [dictionary, signals].map(|path| read(Path::new(path), &ReadOptions::default()));
    let (dictionary, signals) = (dictionary?.design, signals?.design);
    let (values, lambda, tolerance) = (signals.values(), lambda.parse()?, tolerance.parse()?);

    let start = Instant::now();
    let design = dictionary.matrix().transposed()?;
    let encoder = Encoder::new(design, &Penalties::l1(lambda))?.tolerance(tolerance)?;
    let mut found = vec![0.0; signals.rows() * encoder.atoms()];
    let encoded = encoder.encode(&values, &mut found, &mut Ctx::new())?;
    let seconds = start.elapsed().as_secs_f64();

    println!("gaps {:e}\nlargest {:e}", encoded.total_gap(), encoded.max_gap());
    println!("not converged {}\nsteps {}\nsweeps {}", encoded.not_converged, encoded.steps, encoded.sweeps);
    println!("form {}\nseconds {seconds:e}", encoded.form.name());
    write_vector(File::create(codes)?, &found)?;
    Ok(())
}

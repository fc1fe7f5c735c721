// SPDX-License-Identifier: LGPL-2.1-or-later
//! Rust's side of `bindings/tests/round-trip.py`: reads values into the generated types and writes them again.

use std::io::{self, BufRead, BufWriter, Write};
use utm::json::{FromJson, ToJson};

include!(concat!(env!("OUT_DIR"), "/recode.rs"));

fn again<T: FromJson + ToJson>(json: &str) -> utm::Result<String> {
    T::from_json(json)?.to_json()
}

fn answer(line: &[u8]) -> String {
    let Ok(line) = std::str::from_utf8(line) else {
        return "!\tinvalid UTF-8".into();
    };
    let (name, json) = line.trim_end_matches('\n').split_once('\t').unwrap_or((line, ""));
    match recode(name, json) {
        Some(Ok(json)) => json,
        Some(Err(error)) => format!("!{}\t{}", error.key_path().unwrap_or(""), error.message()),
        None => "!\tno such type".into(),
    }
}

fn main() -> io::Result<()> {
    let (mut input, mut output) = (io::stdin().lock(), BufWriter::new(io::stdout().lock()));
    let mut line = Vec::new();
    while input.read_until(b'\n', &mut line)? > 0 {
        writeln!(output, "{}", answer(&line))?;
        line.clear();
    }
    output.flush()
}

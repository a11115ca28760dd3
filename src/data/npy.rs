//! The npy format (numpy/lib/format.py, versions 1 to 3): a dictionary in Python syntax, then the elements.
//!
//! Written here, not taken from a crate: the readers on offer bring a parser generator and big integers for three
//! keys, and allocate what the header claims. This one checks the claim against the bytes that are there.
use super::problem::{Problem, excerpt, show_shape};
use std::io::{self, Read, Write};

const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// Longest header read, bytes. A header of ours has 128, a structured type a few thousand.
const MAX_HEADER: usize = 1 << 16;
/// numpy's own limit on dimensions.
const MAX_DIMS: usize = 64;
const RESAVE: &str = "Save it again with `np.save` or `np.savez`, from `np.asarray(x, dtype=np.float32)`";

/// A numeric array, as f32, row-major whatever the order in the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// Length of each axis.
    pub shape: Vec<usize>,
    /// Elements; an f64 beyond the range of f32 is infinite here.
    pub values: Vec<f32>,
}

/// True if `start` begins like an npy file.
pub fn is_npy(start: &[u8]) -> bool {
    start.starts_with(MAGIC)
}

/// Reads one array from `r`, which holds exactly `size` bytes if the file is sound.
///
/// Nothing is allocated for elements before the header's claim agrees with `size`, and memory grows only with the
/// bytes that arrive.
pub fn read(r: &mut dyn Read, size: u64) -> Result<Array, Problem> {
    let mut start = [0; 8];
    fill(r, &mut start)?;
    if !is_npy(&start) {
        return Err(Problem::new("it does not begin like an npy array", RESAVE));
    }
    let wide = start[6] >= 2;
    let mut length = [0; 4];
    fill(r, if wide { &mut length } else { &mut length[..2] })?;
    let length = u32::from_le_bytes(length) as usize;
    if start[6] == 0 || start[6] > 3 || length > MAX_HEADER {
        return Err(Problem::new(
            format!(
                "unknown npy version {} or a header of {length} bytes, expected version 1 to 3",
                start[6]
            ),
            RESAVE,
        ));
    }
    let mut text = vec![0; length];
    fill(r, &mut text)?;
    let header = Header::parse(&String::from_utf8_lossy(&text))?;
    let (elements, bytes) = header.count()?;
    let before = (if wide { 12 } else { 10 }) + length as u64;
    if before.checked_add(bytes) != Some(size) {
        return Err(Problem::new(
            format!(
                "the header promises shape {} ({bytes} bytes), but {} bytes follow it",
                show_shape(&header.shape),
                size.saturating_sub(before)
            ),
            "The file was cut off or damaged: copy or save it again",
        ));
    }
    let values = header.kind.read(r, elements)?;
    let values =
        if header.fortran && header.shape.len() > 1 { row_major(&header.shape, &values) } else { values };
    Ok(Array { shape: header.shape, values })
}

/// Writes the header of an array of `shape` with numpy type `descr`, e.g. `<f4`; the elements follow.
pub fn write_header(w: &mut dyn Write, descr: &str, shape: &[usize]) -> io::Result<()> {
    let dictionary =
        format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {}, }}", show_shape(shape));
    // Magic, version and length take 10 bytes; numpy aligns the elements to 64.
    let total = (10 + dictionary.len() + 1).next_multiple_of(64);
    w.write_all(MAGIC)?;
    w.write_all(&[1, 0])?;
    w.write_all(&((total - 10) as u16).to_le_bytes())?;
    writeln!(w, "{dictionary:<width$}", width = total - 11)
}

/// Writes an f32 array, little-endian.
pub fn write_f32(w: &mut dyn Write, shape: &[usize], values: &[f32]) -> io::Result<()> {
    write_header(w, "<f4", shape)?;
    for chunk in values.chunks(4096) {
        let bytes: Vec<u8> = chunk.iter().flat_map(|v| v.to_le_bytes()).collect();
        w.write_all(&bytes)?;
    }
    Ok(())
}

/// Writes strings as a fixed-width unicode array (`<U`), which numpy reads without pickle.
pub fn write_strings(w: &mut dyn Write, strings: &[String]) -> io::Result<()> {
    let (kind, mut units) = unicode(strings);
    write_header(w, &kind, &[strings.len()])?;
    units.try_for_each(|unit| w.write_all(&unit))
}

/// numpy's kind of fixed-width text, and the characters of `strings` in it, four bytes each.
pub(super) fn unicode(strings: &[String]) -> (String, impl Iterator<Item = [u8; 4]>) {
    let width = strings.iter().map(|s| s.chars().count()).max().unwrap_or(0).max(1);
    let padded = move |s: &String| {
        let codes = s.chars().map(u32::from).chain(std::iter::repeat(0)).take(width);
        codes.map(u32::to_le_bytes).collect::<Vec<_>>()
    };
    (format!("<U{width}"), strings.iter().flat_map(padded))
}

fn fill(r: &mut dyn Read, bytes: &mut [u8]) -> Result<(), Problem> {
    r.read_exact(bytes).map_err(|e| {
        Problem::new(
            format!("it ends too early or cannot be unpacked ({e})"),
            "The file was cut off or damaged: copy or save it again",
        )
    })
}

/// Element type: numpy's letter, its size in bytes, byte order.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Kind {
    letter: u8,
    size: usize,
    big_endian: bool,
}

impl Kind {
    fn parse(descr: &str) -> Result<Self, Problem> {
        let refuse = |what: &str| {
            Problem::new(
                format!("it holds {what} (numpy type `{}`), expected numbers", excerpt(descr)),
                RESAVE,
            )
        };
        let (order, rest) = match descr.as_bytes() {
            [order @ (b'<' | b'>' | b'|' | b'='), rest @ ..] => (*order, rest),
            rest => (b'|', rest),
        };
        let size = rest.get(1..).map_or("", |s| std::str::from_utf8(s).unwrap_or(""));
        match (rest.first(), size) {
            (Some(b'f'), "4" | "8") | (Some(b'i' | b'u'), "1" | "2" | "4" | "8") | (Some(b'b'), "1") => {
                let size = usize::from(size.as_bytes()[0] - b'0');
                Ok(Self { letter: rest[0], size, big_endian: order == b'>' })
            }
            (Some(b'O'), _) => Err(refuse("Python objects")),
            (Some(b'U' | b'S' | b'a'), _) => Err(refuse("text")),
            (Some(b'c'), _) => Err(refuse("complex numbers")),
            (Some(b'M' | b'm'), _) => Err(refuse("dates or times")),
            _ => Err(refuse("elements of an unsupported type")),
        }
    }

    fn decode(self, bytes: &[u8]) -> f32 {
        let mut word = [0; 8];
        for (i, slot) in word[..self.size].iter_mut().enumerate() {
            *slot = bytes[if self.big_endian { self.size - 1 - i } else { i }];
        }
        let bits = u64::from_le_bytes(word);
        let unused = 64 - 8 * self.size as u32;
        match self.letter {
            b'f' if self.size == 4 => f32::from_bits(bits as u32),
            b'f' => f64::from_bits(bits) as f32,
            b'i' => ((bits << unused) as i64 >> unused) as f32,
            b'b' => f32::from(bits != 0),
            _ => bits as f32,
        }
    }

    fn read(self, r: &mut dyn Read, elements: usize) -> Result<Vec<f32>, Problem> {
        let mut values = Vec::new();
        let mut chunk = vec![0; self.size * elements.min(1 << 14)];
        let mut left = elements;
        while left > 0 {
            let now = left.min(1 << 14);
            let bytes = &mut chunk[..now * self.size];
            fill(r, bytes)?;
            values.try_reserve(now).map_err(|_| {
                Problem::new(
                    format!("{elements} elements do not fit into memory"),
                    "Split the file into smaller ones",
                )
            })?;
            values.extend(bytes.chunks_exact(self.size).map(|b| self.decode(b)));
            left -= now;
        }
        Ok(values)
    }
}

/// Column-major to row-major.
fn row_major(shape: &[usize], values: &[f32]) -> Vec<f32> {
    let mut index = vec![0; shape.len()];
    (0..values.len())
        .map(|_| {
            let at = index.iter().zip(shape).rev().fold(0, |at, (&i, &n)| at * n + i);
            for (i, &n) in index.iter_mut().zip(shape).rev() {
                *i += 1;
                if *i < n {
                    break;
                }
                *i = 0;
            }
            values[at]
        })
        .collect()
}

#[derive(Debug, PartialEq)]
struct Header {
    kind: Kind,
    fortran: bool,
    shape: Vec<usize>,
}

impl Header {
    /// Parses `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`, keys in any order.
    fn parse(text: &str) -> Result<Self, Problem> {
        let damaged = || Problem::new(format!("its npy header is damaged: `{}`", excerpt(text)), RESAVE);
        let (mut descr, mut fortran, mut shape) = (None, None, None);
        let mut rest = text.trim().strip_prefix('{').ok_or_else(damaged)?.trim_start();
        while !rest.starts_with('}') {
            let (key, after) = quoted(rest).ok_or_else(damaged)?;
            let value = after.trim_start().strip_prefix(':').ok_or_else(damaged)?.trim_start();
            rest = match key {
                "descr" if value.starts_with('[') => {
                    return Err(Problem::new("it holds records with named fields, expected numbers", RESAVE));
                }
                "descr" => {
                    let (found, rest) = quoted(value).ok_or_else(damaged)?;
                    descr = Some(Kind::parse(found)?);
                    rest
                }
                "fortran_order" => {
                    let (found, rest) = if let Some(rest) = value.strip_prefix("True") {
                        (true, rest)
                    } else {
                        (false, value.strip_prefix("False").ok_or_else(damaged)?)
                    };
                    fortran = Some(found);
                    rest
                }
                "shape" => {
                    let (inside, rest) =
                        value.strip_prefix('(').and_then(|v| v.split_once(')')).ok_or_else(damaged)?;
                    shape = Some(dimensions(inside).ok_or_else(damaged)?);
                    rest
                }
                _ => return Err(damaged()),
            }
            .trim_start();
            rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
        }
        match (descr, fortran, shape) {
            (Some(kind), Some(fortran), Some(shape)) => Ok(Self { kind, fortran, shape }),
            _ => Err(damaged()),
        }
    }

    /// Elements and bytes, or a refusal of absurd shapes.
    fn count(&self) -> Result<(usize, u64), Problem> {
        self.shape
            .iter()
            .try_fold(1usize, |n, &axis| n.checked_mul(axis))
            .and_then(|n| Some((n, u64::try_from(n.checked_mul(self.kind.size)?).ok()?)))
            .ok_or_else(|| {
                Problem::new(
                    format!("its header claims the absurd shape {}", show_shape(&self.shape)),
                    RESAVE,
                )
            })
    }
}

/// A Python string in single or double quotes at the start of `text`, and what follows it.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    text[1..].split_once(quote)
}

fn dimensions(inside: &str) -> Option<Vec<usize>> {
    let inside = inside.trim();
    let inside = inside.strip_suffix(',').unwrap_or(inside);
    if inside.is_empty() {
        return Some(Vec::new());
    }
    let axes: Option<Vec<usize>> =
        inside.split(',').map(|axis| axis.trim().trim_end_matches('L').parse().ok()).collect();
    axes.filter(|axes| axes.len() <= MAX_DIMS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(dictionary: &str, payload: &[u8]) -> Vec<u8> {
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((dictionary.len() as u16).to_le_bytes());
        bytes.extend(dictionary.as_bytes());
        bytes.extend(payload);
        bytes
    }

    fn parse(bytes: &[u8]) -> Result<Array, Problem> {
        read(&mut &bytes[..], bytes.len() as u64)
    }

    #[test]
    fn every_type_and_byte_order_is_decoded() {
        for (descr, payload, expected) in [
            ("<f4", (-1.5f32).to_le_bytes().to_vec(), -1.5),
            (">f4", (-1.5f32).to_be_bytes().to_vec(), -1.5),
            ("<f8", 0.1f64.to_le_bytes().to_vec(), 0.1),
            (">f8", 0.1f64.to_be_bytes().to_vec(), 0.1),
            ("|i1", vec![0xff], -1.0),
            ("<i2", (-300i16).to_le_bytes().to_vec(), -300.0),
            ("<i4", (-70_000i32).to_le_bytes().to_vec(), -70_000.0),
            (">i8", (-5i64).to_be_bytes().to_vec(), -5.0),
            ("|u1", vec![0xff], 255.0),
            ("<u8", 7u64.to_le_bytes().to_vec(), 7.0),
            ("|b1", vec![1], 1.0),
        ] {
            let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': (1,), }}\n");
            assert_eq!(parse(&file(&header, &payload)).unwrap().values, [expected], "{descr}");
        }
    }

    #[test]
    fn fortran_order_is_turned_and_scalars_and_python_2_headers_are_read() {
        let payload: Vec<u8> = [0., 3., 1., 4., 2., 5.].iter().flat_map(|v: &f32| v.to_le_bytes()).collect();
        let turned = parse(&file("{'descr':'<f4','fortran_order':True,'shape':(2L, 3L)}", &payload)).unwrap();
        assert_eq!(turned, Array { shape: vec![2, 3], values: vec![0., 1., 2., 3., 4., 5.] });
        // (2, 1, 3) in column-major order has the same bytes as (2, 3).
        let turned =
            parse(&file("{'shape':(2,1,3),\"descr\":'<f4','fortran_order':True}", &payload)).unwrap();
        assert_eq!(turned.values, [0., 1., 2., 3., 4., 5.]);
        let scalar = parse(&file("{'descr': '<f4', 'fortran_order': False, 'shape': (), }", &payload[..4]));
        assert!(scalar.unwrap().shape.is_empty());
    }

    #[test]
    fn what_is_written_is_read() {
        let values: Vec<f32> = (0..10_000).map(|i| i as f32 * 0.37 - 9.0).collect();
        let mut bytes = Vec::new();
        write_f32(&mut bytes, &[50, 100, 2], &values).unwrap();
        assert_eq!((bytes.len() - 40_000) % 64, 0);
        assert_eq!(parse(&bytes).unwrap(), Array { shape: vec![50, 100, 2], values });
    }

    #[test]
    fn claims_are_checked_before_allocation() {
        let claim = |shape: &str| {
            let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({shape}), }}");
            parse(&file(&header, &[0; 64])).unwrap_err().problem
        };
        assert!(claim("1000000000000000,").contains("promises shape (1000000000000000,)"));
        assert!(claim("1000000000000000,").contains("64 bytes follow"));
        assert!(claim("18446744073709551615, 18446744073709551615").contains("absurd"));
        assert!(claim("99999999999999999999999,").contains("damaged"));
        assert!(claim("-4,").contains("damaged"));
        assert!(claim("17,").contains("68 bytes"));
        assert!(claim("15,").contains("64 bytes follow"));
        assert!(claim(&"1,".repeat(65)).contains("damaged"));
        let mut long = b"\x93NUMPY\x02\x00\xff\xff\xff\xff".to_vec();
        long.extend([b' '; 100]);
        assert!(parse(&long).unwrap_err().problem.contains("4294967295 bytes"));
    }

    #[test]
    fn what_is_not_numbers_is_named() {
        for (descr, word) in [
            ("|O", "Python objects"),
            ("<U5", "text"),
            ("<c8", "complex"),
            ("<M8[ns]", "dates"),
            ("<f2", "type"),
        ] {
            let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': (1,), }}");
            assert!(parse(&file(&header, &[0; 8])).unwrap_err().problem.contains(word), "{descr}");
        }
        let records = "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }";
        assert!(parse(&file(records, &[0; 4])).unwrap_err().problem.contains("named fields"));
    }
}

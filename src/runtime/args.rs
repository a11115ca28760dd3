//! One declaration, two languages: `args!` writes a Rust struct, its WGSL twin and the code that reads it from
//! a program's words. Only 4-byte scalars are allowed, so the two layouts cannot differ.

/// A 4-byte scalar that both languages know.
pub trait Word: Copy {
    /// Its WGSL type.
    const WGSL: &'static str;
    /// WGSL expression that turns a `u32` word into the type.
    const FROM: &'static str;
    /// The bits.
    fn to_word(self) -> u32;
    /// The value of the bits.
    fn from_word(word: u32) -> Self;
}
impl Word for u32 {
    const WGSL: &'static str = "u32";
    const FROM: &'static str = "";
    fn to_word(self) -> u32 {
        self
    }
    fn from_word(word: u32) -> Self {
        word
    }
}
impl Word for f32 {
    const WGSL: &'static str = "f32";
    const FROM: &'static str = "bitcast<f32>";
    fn to_word(self) -> u32 {
        self.to_bits()
    }
    fn from_word(word: u32) -> Self {
        f32::from_bits(word)
    }
}

/// A Rust struct that has a WGSL twin.
pub trait Args: Copy {
    /// Its name in both languages.
    const NAME: &'static str;
    /// Number of 4-byte words.
    const WORDS: usize;
    /// The words in field order.
    fn to_words(&self) -> Vec<u32>;
    /// The struct of `words`; panics when there are too few.
    fn from_words(words: &[u32]) -> Self;
    /// WGSL declaration of the struct.
    fn wgsl() -> String;
    /// WGSL function `load_NAME(at)` that reads the struct from the array `program`.
    fn wgsl_loader() -> String;
}

/// Declares a struct of `u32` and `f32` fields for Rust and WGSL at once.
#[macro_export]
macro_rules! args {
    ($(#[$m:meta])* pub struct $name:ident { $($(#[$fm:meta])* pub $f:ident : $t:ident),+ $(,)? }) => {
        $(#[$m])*
        #[derive(Clone, Copy, Debug, Default, PartialEq)]
        pub struct $name { $($(#[$fm])* pub $f: $t),+ }
        impl $crate::runtime::args::Args for $name {
            const NAME: &'static str = stringify!($name);
            const WORDS: usize = [$(stringify!($f)),+].len();
            fn to_words(&self) -> Vec<u32> {
                vec![$($crate::runtime::args::Word::to_word(self.$f)),+]
            }
            fn from_words(words: &[u32]) -> Self {
                let mut at = 0..;
                Self { $($f: <$t as $crate::runtime::args::Word>::from_word(words[at.next().unwrap_or(0)])),+ }
            }
            fn wgsl() -> String {
                let mut s = format!("struct {} {{\n", stringify!($name));
                $( s += &format!("    {}: {},\n", stringify!($f), <$t as $crate::runtime::args::Word>::WGSL); )+
                s + "}\n"
            }
            fn wgsl_loader() -> String {
                let n = stringify!($name);
                let mut at = 0..;
                let fields: Vec<String> = vec![$(format!(
                    "{}(program[at + {}u])", <$t as $crate::runtime::args::Word>::FROM, at.next().unwrap_or(0)
                )),+];
                let _ = stringify!($($f),+);
                format!("fn load_{n}(at: u32) -> {n} {{ return {n}({}); }}\n", fields.join(", "))
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    args! {
        /// For the test.
        pub struct Probe { pub a: u32, pub b: f32, pub c: u32 }
    }
    #[test]
    fn words_round_trip_and_wgsl_has_the_same_order() {
        let p = Probe { a: 7, b: -1.5, c: 9 };
        assert_eq!(p.to_words(), [7, (-1.5f32).to_bits(), 9]);
        assert_eq!(Probe::from_words(&p.to_words()), p);
        assert_eq!(Probe::WORDS, 3);
        assert_eq!(Probe::wgsl(), "struct Probe {\n    a: u32,\n    b: f32,\n    c: u32,\n}\n");
        assert!(Probe::wgsl_loader().contains("bitcast<f32>(program[at + 1u]), (program[at + 2u])"));
    }
}

//! WGSL as words: enough of its grammar to replace constants and rename what a template declares.

/// `text` without comments, with every word replaced for which `f` has something else. Numbers are no words, nor are
/// the members after a dot.
pub fn map_words(text: &str, mut f: impl FnMut(&str) -> Option<String>) -> String {
    let bytes = text.as_bytes();
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let mut out = String::with_capacity(text.len());
    let mut i = 0;
    while i < bytes.len() {
        let b = bytes[i];
        if b == b'/' && bytes.get(i + 1) == Some(&b'/') {
            i += bytes[i..].iter().position(|&b| b == b'\n').unwrap_or(bytes.len() - i);
        } else if is_word(b) {
            let is_number = b.is_ascii_digit();
            let part = |&b: &u8| is_word(b) || (is_number && b == b'.');
            let end = i + bytes[i..].iter().take_while(|b| part(b)).count();
            let word = &text[i..end];
            let member = out.ends_with('.') && !out.ends_with("..");
            match (!is_number && !member).then(|| f(word)).flatten() {
                Some(new) => out += &new,
                None => out += word,
            }
            i = end;
        } else {
            // A character may have several bytes (in comments and nowhere else, but this must not panic).
            let c = text[i..].chars().next().unwrap_or(' ');
            out.push(c);
            i += c.len_utf8();
        }
    }
    out
}

/// Names that `text` declares at module level: functions, constants, variables, structs, aliases.
pub fn declared(text: &str) -> Vec<String> {
    let mut names = vec![];
    let mut depth = 0usize;
    let mut after: Option<bool> = None; // just after a keyword; true while inside `var<...>`
    let plain = map_words(text, |_| None);
    let mut word = String::new();
    for c in plain.chars().chain(" ".chars()) {
        if c.is_ascii_alphanumeric() || c == '_' {
            word.push(c);
            continue;
        }
        let finished = std::mem::take(&mut word);
        if !finished.is_empty() && depth == 0 {
            match (after, finished.as_str()) {
                (None, "fn" | "const" | "var" | "struct" | "alias" | "override") => after = Some(false),
                (Some(false), _) => {
                    names.push(finished);
                    after = None;
                }
                _ => {}
            }
        }
        match c {
            '{' | '(' => depth += 1,
            '}' | ')' => depth = depth.saturating_sub(1),
            '<' if after == Some(false) => after = Some(true),
            '>' if after == Some(true) => after = Some(false),
            _ => {}
        }
    }
    names
}

/// Names of the `//# use` lines of `text`, in order.
pub fn uses(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|l| l.trim().strip_prefix("//# use ")).map(str::trim)
}

/// Whether `word` is written as constants are: capitals, digits, underscores.
pub fn is_constant(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_uppercase())
        && word.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_words_are_replaced_and_nothing_else() {
        let text = "let a = K + KK - x.K * 0xKu + 1.5K; // K\nK";
        let new = map_words(text, |w| (w == "K").then(|| "7u".into()));
        assert_eq!(new, "let a = 7u + KK - x.K * 0xKu + 1.5K; \n7u");
        assert_eq!(map_words("a\u{e9}K", |w| (w == "K").then(|| "7u".into())), "a\u{e9}7u");
    }
    #[test]
    fn module_level_names_are_found() {
        let text = "const A: u32 = 1u; // fn no()\nvar<workgroup> parts: array<f32, A>;\nvar<private> row: u32;\n\
            struct S { K: u32, fn_: f32 }\nalias T = u32;\n@compute fn f(x: u32) -> S { let g = 1u; const h = 2u; }\nfn k() {}";
        assert_eq!(declared(text), ["A", "parts", "row", "S", "T", "f", "k"]);
    }
    #[test]
    fn use_lines_and_constants_are_known() {
        assert_eq!(uses("// x\n//# use a/b\n  //# use c/d \n//#use e").collect::<Vec<_>>(), ["a/b", "c/d"]);
        assert!(is_constant("K") && is_constant("BOUND_BITS") && !is_constant("Rng") && !is_constant("_"));
    }
}

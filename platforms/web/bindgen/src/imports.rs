//! Short names for what the module is given by its script.
//!
//! wasm-bindgen names each import after the function it stands for. Nobody reads these names but the
//! two files they are in, each of which is a kilobyte shorter without them.

/// Gives the imports of `module` short names, there and in `script`.
pub(crate) fn shorten(script: &mut String, module: &mut Vec<u8>) {
    let Some((start, content)) = imports(module) else { return };
    let mut shorter = module[content.clone()].to_vec();
    let mut count = 0;
    for name in keys(script) {
        let Some(at) = find(&shorter, &written(name.as_bytes())) else { continue };
        let short = short(count);
        count += 1;
        shorter.splice(at..=at + name.len(), written(short.as_bytes()));
        *script = script.replacen(&key(&name), &key(&short), 1);
    }
    let mut section = vec![IMPORTS];
    let mut length = shorter.len();
    while length >= 0x80 {
        section.push(length as u8 | 0x80);
        length >>= 7;
    }
    section.push(length as u8);
    section.append(&mut shorter);
    module.splice(start..content.end, section);
}

/// Id of the section of imports.
const IMPORTS: u8 = 2;

/// Where the section of imports begins, and where its content is.
fn imports(module: &[u8]) -> Option<(usize, std::ops::Range<usize>)> {
    let mut at = 8;
    loop {
        let (start, id) = (at, *module.get(at)?);
        let mut length = 0;
        let mut shift = 0;
        loop {
            at += 1;
            let byte = *module.get(at)?;
            length |= usize::from(byte & 0x7f).checked_shl(shift)?;
            shift += 7;
            if byte < 0x80 {
                break;
            }
        }
        let content = at + 1..(at + 1).checked_add(length)?;
        if id == IMPORTS {
            return (content.end <= module.len()).then_some((start, content));
        }
        at = content.end;
    }
}

/// The names in a script that begin as those of imports do, are keys, and are there once.
fn keys(script: &str) -> Vec<String> {
    let lines = script.lines().map(str::trim_start).filter(|line| line.starts_with("__wb"));
    let names = lines.filter_map(|line| line.split_once(": ")).map(|(name, _)| name.to_owned());
    names.filter(|name| script.matches(name.as_str()).count() == 1).collect()
}

fn key(name: &str) -> String {
    format!(" {name}: ")
}

/// As a module has it: its length, which is never long here, and the name.
fn written(name: &[u8]) -> Vec<u8> {
    let mut written = vec![name.len() as u8];
    written.extend_from_slice(name);
    written
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// `a` to `z`, `aa`, `ab` and so on.
pub(crate) fn short(mut number: usize) -> String {
    let mut name = String::new();
    loop {
        name.insert(0, char::from(b'a' + (number % 26) as u8));
        match (number / 26).checked_sub(1) {
            Some(rest) => number = rest,
            None => return name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_files_agree() {
        let mut script = "{\n  __wbg_now_1: function() {},\n  __wbindgen_init: function() {},\n}\n\
            __wbindgen_init_others()\n  __wbg_then_2: f,\n  __wbg_gone_3: g,\n"
            .to_owned();
        // A custom section of one byte comes first; the code after the imports stays as it is.
        let mut module = b"\0asm\x01\0\0\0\x00\x01x\x02\x36\x03\x01m\x0b__wbg_now_1\0\0\
            \x01m\x0f__wbindgen_init\0\0\x01m\x0c__wbg_then_2\0\0\x0a\x02\x01\x0b"
            .to_vec();
        shorten(&mut script, &mut module);
        let expected = "{\n  a: function() {},\n  __wbindgen_init: function() {},\n}\n\
            __wbindgen_init_others()\n  b: f,\n  __wbg_gone_3: g,\n";
        assert_eq!(script, expected);
        let expected = b"\0asm\x01\0\0\0\x00\x01x\x02\x21\x03\x01m\x01a\0\0\
            \x01m\x0f__wbindgen_init\0\0\x01m\x01b\0\0\x0a\x02\x01\x0b";
        assert_eq!(module, expected);
    }

    #[test]
    fn what_is_no_module_stays() {
        for bytes in [&b""[..], b"\0asm\x01\0\0\0", b"\0asm\x01\0\0\0\x02\xff\xff\xff\xff\x7f"] {
            let (mut script, mut module) = ("  __wbg_now_1: f,\n".to_owned(), bytes.to_vec());
            shorten(&mut script, &mut module);
            assert_eq!((script.as_str(), &module[..]), ("  __wbg_now_1: f,\n", bytes));
        }
    }

    #[test]
    fn short_names_differ() {
        let names: Vec<_> = (0..800).map(short).collect();
        assert_eq!([&names[0], &names[25], &names[26], &names[702]], ["a", "z", "aa", "aaa"]);
        assert!(names.iter().all(|name| names.iter().filter(|other| *other == name).count() == 1));
    }
}

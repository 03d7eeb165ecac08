//! Short names for what the module gives its script, and none for what the script does not ask for.

use std::collections::HashMap;

use anyhow::{Result, anyhow};
use wasm_encoder::reencode::{self, Reencode};
use wasm_encoder::{ExportSection, Module};
use wasmparser::{ExportSectionReader, Parser};

use crate::imports::short;

/// How a script names what a module exports.
const OBJECT: &str = "wasm.";

/// Gives the exports of `module` short names, there and in `script`, and takes out those that are not
/// named in the script: what only they need can go, too.
///
/// # Errors
/// If it is no module.
pub(crate) fn shorten(script: &mut String, module: &[u8]) -> Result<Vec<u8>> {
    let mut names = Names { script, short: HashMap::new() };
    let mut out = Module::new();
    names
        .parse_core_module(&mut out, Parser::new(0), module)
        .map_err(|error| anyhow!("{error}"))?;
    let Names { short, .. } = names;
    *script = renamed(script, &short);
    Ok(out.finish())
}

struct Names<'s> {
    script: &'s str,
    /// The new name of each export that is left.
    short: HashMap<String, String>,
}

impl Reencode for Names<'_> {
    type Error = core::convert::Infallible;

    fn parse_export_section(
        &mut self,
        exports: &mut ExportSection,
        section: ExportSectionReader<'_>,
    ) -> Result<(), reencode::Error> {
        for export in section {
            let export = export?;
            if uses(self.script).any(|(_, name)| name == export.name) {
                let name = short(self.short.len());
                exports.export(&name, self.export_kind(export.kind)?, export.index);
                self.short.insert(export.name.to_owned(), name);
            }
        }
        Ok(())
    }
}

/// Where a script names an export, and which.
fn uses(script: &str) -> impl Iterator<Item = (usize, &str)> {
    let in_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | '.');
    script.match_indices(OBJECT).filter_map(move |(at, _)| {
        let whole = !script[..at].ends_with(in_name);
        let rest = &script[at + OBJECT.len()..];
        let end = rest.find(|c: char| c == '.' || !in_name(c)).unwrap_or(rest.len());
        whole.then_some((at + OBJECT.len(), &rest[..end]))
    })
}

fn renamed(script: &str, short: &HashMap<String, String>) -> String {
    let (mut out, mut done) = (String::with_capacity(script.len()), 0);
    for (at, name) in uses(script) {
        if let Some(short) = short.get(name) {
            out.push_str(&script[done..at]);
            out.push_str(short);
            done = at + name.len();
        }
    }
    out + &script[done..]
}

#[cfg(test)]
mod tests {
    use wasm_encoder::{CodeSection, ExportKind, Function, FunctionSection, TypeSection};
    use wasmparser::Payload;

    use super::*;

    fn module(names: &[&str]) -> Vec<u8> {
        let mut types = TypeSection::new();
        types.ty().function([], []);
        let (mut functions, mut code, mut exports) =
            (FunctionSection::new(), CodeSection::new(), ExportSection::new());
        for (index, name) in names.iter().enumerate() {
            functions.function(0);
            let mut body = Function::new([]);
            body.instructions().end();
            code.function(&body);
            exports.export(name, ExportKind::Func, index as u32);
        }
        let mut module = Module::new();
        module.section(&types).section(&functions).section(&exports).section(&code);
        module.finish()
    }

    fn exports(module: &[u8]) -> Vec<(String, u32)> {
        let mut exports = Vec::new();
        for payload in Parser::new(0).parse_all(module) {
            if let Payload::ExportSection(section) = payload.unwrap() {
                let all = section.into_iter().map(Result::unwrap);
                exports.extend(all.map(|export| (export.name.to_owned(), export.index)));
            }
        }
        exports
    }

    #[test]
    fn both_files_agree() {
        let module = module(&["memory", "unused", "session_load", "session_load_all"]);
        let mut script =
            "new Uint8Array(wasm.memory.buffer); wasm.session_load(wasm.session_load_all);\n\
            my_wasm.unused(), my.wasm.unused(), wasm.other; // wasm.\n"
                .to_owned();
        let module = shorten(&mut script, &module).unwrap();
        let expected = "new Uint8Array(wasm.a.buffer); wasm.b(wasm.c);\n\
            my_wasm.unused(), my.wasm.unused(), wasm.other; // wasm.\n";
        assert_eq!(script, expected);
        let expected = [("a", 0), ("b", 2), ("c", 3)];
        assert_eq!(exports(&module), expected.map(|(name, index)| (name.to_owned(), index)));
    }

    #[test]
    fn what_is_no_module_is_an_error() {
        assert!(shorten(&mut String::new(), b"no module").is_err());
    }
}

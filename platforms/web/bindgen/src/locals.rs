//! Which numbers the locals of functions have: those that make code look like other code.
//!
//! Nearly every fifth byte of a module's code is the number of a local, and more of what brotli makes of it.
//! Locals of one type can have each other's numbers: a hundredth of the module is saved where they have
//! those with which the bytes of a function are most like what follows the same bytes elsewhere.

use std::collections::HashMap;
use std::ops::Range;

use anyhow::{Context, Result};
use wasmparser::{FunctionBody, Operator, Parser, Payload, ValType};

/// Times that every function is looked at. What a later time would gain is next to nothing.
const ROUNDS: usize = 2;
/// The most locals of a function: of these, the numbers take one byte each.
const MOST_LOCALS: usize = 128;
/// The most uses of two locals that are worth the time to exchange them.
const MOST_USES: usize = 400;
/// Bytes that foretell the next.
const BEFORE: usize = 3;
/// Bits that it takes to say a byte that was never seen after those before it, besides what its rarity says.
const NEW: f64 = 3.0;

/// Renumbers the locals of every function of a module.
///
/// # Errors
/// If it is no module.
pub(crate) fn renumber(module: &mut [u8]) -> Result<()> {
    let mut functions = functions(module)?;
    let mut seen = Seen::default();
    for function in &functions {
        for place in 0..function.code.len() {
            seen.add(&function.code, place);
        }
    }
    for _ in 0..ROUNDS {
        for function in &mut functions {
            function.renumber(&mut seen);
        }
    }
    for function in functions {
        module[function.range].copy_from_slice(&function.code);
    }
    Ok(())
}

/// The code of a function, less its locals' types.
struct Function {
    /// Where it stands in the module.
    range: Range<usize>,
    code: Vec<u8>,
    /// The type of each local that is no parameter, and where its number stands in the code.
    locals: Vec<(ValType, Vec<usize>)>,
}

fn functions(module: &[u8]) -> Result<Vec<Function>> {
    let (mut parameters, mut types, mut functions) = (Vec::new(), Vec::new(), Vec::new());
    for payload in Parser::new(0).parse_all(module) {
        match payload? {
            Payload::TypeSection(section) => {
                for function in section.into_iter_err_on_gc_types() {
                    parameters.push(function?.params().len());
                }
            }
            Payload::FunctionSection(section) => {
                types = section.into_iter().collect::<wasmparser::Result<Vec<u32>>>()?;
            }
            Payload::CodeSectionEntry(body) => {
                let of_type = types.get(functions.len()).map(|&of_type| of_type as usize);
                let parameters = of_type.and_then(|of_type| parameters.get(of_type));
                let parameters = *parameters.context("a function has no type")?;
                functions.push(Function::of(module, &body, parameters)?);
            }
            _ => {}
        }
    }
    Ok(functions)
}

impl Function {
    fn of(module: &[u8], body: &FunctionBody<'_>, parameters: usize) -> Result<Self> {
        let mut locals = Vec::new();
        for group in body.get_locals_reader()? {
            let (count, of_type) = group?;
            locals.resize(locals.len() + count as usize, (of_type, Vec::new()));
        }
        let mut operators = body.get_operators_reader()?;
        let range = operators.original_position()..body.range().end;
        if parameters + locals.len() > MOST_LOCALS {
            locals.clear();
        }
        while !operators.eof() {
            // Its number stands after the byte that says what is done with it.
            let number = operators.original_position() + 1 - range.start;
            let (Operator::LocalGet { local_index }
            | Operator::LocalSet { local_index }
            | Operator::LocalTee { local_index }) = operators.read()?
            else {
                continue;
            };
            let local = (local_index as usize).checked_sub(parameters);
            if let Some((_, uses)) = local.and_then(|local| locals.get_mut(local)) {
                uses.push(number);
            }
        }
        Ok(Self { code: module[range.clone()].to_vec(), range, locals })
    }

    /// Exchanges the numbers of two locals wherever that makes the code more like what was seen.
    fn renumber(&mut self, seen: &mut Seen) {
        for one in 0..self.locals.len() {
            for other in one + 1..self.locals.len() {
                let ((of_type, uses), (of_other_type, other_uses)) =
                    (&self.locals[one], &self.locals[other]);
                let count = uses.len() + other_uses.len();
                if of_type != of_other_type || count > MOST_USES {
                    continue;
                }
                let (Some(&first), Some(&second)) = (uses.first(), other_uses.first()) else {
                    continue;
                };
                let (number, other_number) = (self.code[first], self.code[second]);
                // What a number foretells changes with it.
                let end = self.code.len();
                let foretold = |&place: &usize| place..(place + BEFORE + 1).min(end);
                let mut places: Vec<usize> =
                    uses.iter().chain(other_uses).flat_map(foretold).collect();
                places.sort_unstable();
                places.dedup();

                let mut exchange = |number: u8, other_number: u8| {
                    let code = &mut self.code;
                    let less: f64 = places.iter().map(|&place| seen.remove(code, place)).sum();
                    uses.iter().for_each(|&place| code[place] = number);
                    other_uses.iter().for_each(|&place| code[place] = other_number);
                    let more: f64 = places.iter().map(|&place| seen.add(code, place)).sum();
                    more - less
                };
                // A hundredth of a bit is less than what is lost in calculating it.
                if exchange(other_number, number) > -0.01 {
                    exchange(number, other_number);
                }
            }
        }
    }
}

/// How often each byte followed the same bytes, and what follows from that: how many bits it takes to
/// say every byte when those before it are known.
#[derive(Default)]
struct Seen {
    before: HashMap<[u8; BEFORE], u32>,
    bytes: HashMap<[u8; BEFORE + 1], u32>,
}

impl Seen {
    /// Counts a byte; gives the bits that this adds.
    fn add(&mut self, code: &[u8], place: usize) -> f64 {
        let (before, byte) = context(code, place);
        let all = self.before.entry(before).or_default();
        let same = self.bytes.entry(byte).or_default();
        (*all, *same) = (*all + 1, *same + 1);
        bits(*all, *same)
    }

    /// Takes back a byte that was counted; gives the bits that it had added.
    fn remove(&mut self, code: &[u8], place: usize) -> f64 {
        let (before, byte) = context(code, place);
        let all = self.before.entry(before).or_default();
        let same = self.bytes.entry(byte).or_default();
        let bits = bits(*all, *same);
        (*all, *same) = (all.saturating_sub(1), same.saturating_sub(1));
        bits
    }
}

/// The bytes before a place, and the same with the one there. Before the first there is nothing.
fn context(code: &[u8], place: usize) -> ([u8; BEFORE], [u8; BEFORE + 1]) {
    let at = |back: usize| place.checked_sub(back).map_or(0, |place| code[place]);
    (core::array::from_fn(|back| at(back + 1)), core::array::from_fn(at))
}

/// Bits that the last of `all` bytes added, of which `same` are the same. All together take
/// `all * log2(all)` less as much for each byte that there is.
fn bits(all: u32, same: u32) -> f64 {
    let total = |count: u32| f64::from(count) * f64::from(count.max(1)).log2();
    let added = |count: u32| total(count) - total(count.saturating_sub(1));
    added(all) - added(same) + if same == 1 { NEW } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use wasm_encoder::{CodeSection, FunctionSection, Module, TypeSection};

    use super::*;

    const I32: wasm_encoder::ValType = wasm_encoder::ValType::I32;
    const I64: wasm_encoder::ValType = wasm_encoder::ValType::I64;

    /// How many locals of a type, and the types after it.
    type Locals<'a> = &'a [(u32, wasm_encoder::ValType)];

    /// A module of functions of one parameter each, with their locals and the numbers that are read in
    /// turn.
    fn module(functions: &[(Locals<'_>, &[u32])]) -> Vec<u8> {
        let (mut types, mut declared, mut code) =
            (TypeSection::new(), FunctionSection::new(), CodeSection::new());
        types.ty().function([I32], []);
        for &(locals, reads) in functions {
            declared.function(0);
            let mut body = wasm_encoder::Function::new(locals.iter().copied());
            for &local in reads {
                body.instructions().local_get(local).drop();
            }
            body.instructions().end();
            code.function(&body);
        }
        let mut module = Module::new();
        module.section(&types).section(&declared).section(&code);
        module.finish()
    }

    /// The numbers that each function reads in turn.
    fn reads(module: &[u8]) -> Vec<Vec<u32>> {
        let mut functions = Vec::new();
        for payload in Parser::new(0).parse_all(module) {
            if let Payload::CodeSectionEntry(body) = payload.unwrap() {
                let operators = body.get_operators_reader().unwrap().into_iter();
                let read = operators.filter_map(|operator| match operator.unwrap() {
                    Operator::LocalGet { local_index } => Some(local_index),
                    _ => None,
                });
                functions.push(read.collect());
            }
        }
        functions
    }

    #[test]
    fn functions_that_do_the_same_do_it_with_the_same_numbers() {
        let locals: Locals<'_> = &[(3, I32)];
        let usual: &[u32] = &[1, 0, 2, 1, 0, 3, 2, 1];
        let other: &[u32] = &[2, 0, 3, 2, 0, 1, 3, 2];
        let mut module = module(&[(locals, usual), (locals, usual), (locals, other)]);
        renumber(&mut module).unwrap();
        assert_eq!(reads(&module), [usual, usual, usual]);
    }

    #[test]
    fn parameters_and_types_stay() {
        let locals: Locals<'_> = &[(1, I32), (1, I64)];
        let (usual, other): (&[u32], &[u32]) = (&[1, 1, 1, 1, 0, 2], &[2, 2, 2, 2, 0, 1]);
        let mut module = module(&[(locals, usual), (locals, usual), (locals, other)]);
        renumber(&mut module).unwrap();
        assert_eq!(reads(&module), [usual, usual, other]);
        wasmparser::validate(&module).unwrap();
    }

    #[test]
    fn numbers_of_two_bytes_stay() {
        let many: Locals<'_> = &[(200, I32)];
        let (usual, other): (&[u32], &[u32]) = (&[1, 1, 1, 150], &[2, 2, 2, 150]);
        let functions: &[(Locals<'_>, &[u32])] = &[(many, usual), (many, usual), (many, other)];
        let mut renumbered = module(functions);
        renumber(&mut renumbered).unwrap();
        assert_eq!(renumbered, module(functions));
    }

    #[test]
    fn what_is_counted_can_be_taken_back() {
        let mut seen = Seen::default();
        let code = b"abcabcabd";
        let added: f64 = (0..code.len()).map(|place| seen.add(code, place)).sum();
        let removed: f64 = (0..code.len()).rev().map(|place| seen.remove(code, place)).sum();
        assert!((added - removed).abs() < 1e-9, "{added} {removed}");
        assert!(seen.bytes.values().chain(seen.before.values()).all(|&count| count == 0));
    }

    #[test]
    fn what_is_no_module_is_an_error() {
        assert!(renumber(&mut b"no module".to_vec()).is_err());
    }
}

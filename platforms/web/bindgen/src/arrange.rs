//! A module that says the same in fewer bytes after compression.

use anyhow::{Result, anyhow};
use wasm_encoder::reencode::{self, Reencode};
use wasm_encoder::{CodeSection, FunctionSection, MemArg, Module};
use wasmparser::{
    CodeSectionReader, CustomSectionReader, FunctionSectionReader, Parser, Payload, TypeRef,
};

use crate::locals::renumber;
use crate::order::order;

/// The module with one alignment for each kind of access to memory, the numbers of its locals and the
/// [`order`] of its functions those that compress best, and without custom sections.
///
/// # Errors
/// If it is no module.
pub(crate) fn arrange(module: &[u8]) -> Result<Vec<u8>> {
    let (imported, bodies) = functions(module)?;
    let mut aligned =
        written(module, &mut Arrangement::new(imported, (0..bodies.len()).collect()))?;
    renumber(&mut aligned)?;
    let (_, bodies) = functions(&aligned)?;
    written(&aligned, &mut Arrangement::new(imported, order(&bodies)))
}

/// How many functions a module imports, and the bodies of its own.
fn functions(module: &[u8]) -> Result<(usize, Vec<&[u8]>)> {
    let (mut imported, mut bodies) = (0, Vec::new());
    for payload in Parser::new(0).parse_all(module) {
        match payload? {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    imported += usize::from(matches!(import?.ty, TypeRef::Func(_)));
                }
            }
            Payload::CodeSectionEntry(body) => bodies.push(body.as_bytes()),
            _ => {}
        }
    }
    Ok((imported, bodies))
}

fn written(module: &[u8], arrangement: &mut Arrangement) -> Result<Vec<u8>> {
    let mut out = Module::new();
    arrangement
        .parse_core_module(&mut out, Parser::new(0), module)
        .map_err(|error| anyhow!("{error}"))?;
    Ok(out.finish())
}

/// Where the functions of a module go.
struct Arrangement {
    /// Which of the module's own functions stands at each place.
    order: Vec<usize>,
    /// For each index, imported functions first, the one it becomes.
    indices: Vec<u32>,
}

type Failure = reencode::Error<&'static str>;
type Outcome<T> = Result<T, Failure>;

const MISSING: Failure = reencode::Error::UserError("a function is named that is not there");

impl Arrangement {
    fn new(imported: usize, order: Vec<usize>) -> Self {
        let mut indices: Vec<u32> = (0..imported + order.len()).map(|index| index as u32).collect();
        for (place, &function) in order.iter().enumerate() {
            indices[imported + function] = (imported + place) as u32;
        }
        Self { order, indices }
    }
}

impl Reencode for Arrangement {
    type Error = &'static str;

    fn function_index(&mut self, index: u32) -> Outcome<u32> {
        self.indices.get(index as usize).copied().ok_or(MISSING)
    }

    /// Alignments are hints that the machines of browsers do without (WebAssembly core specification,
    /// 2.4.6). The compiler's differ for the same access to different types, and none is exact.
    fn mem_arg(&mut self, access: wasmparser::MemArg) -> Outcome<MemArg> {
        Ok(MemArg {
            offset: access.offset,
            align: access.max_align.into(),
            memory_index: access.memory,
        })
    }

    /// Those say how the module was made, to tools alone.
    fn parse_custom_section(&mut self, _: &mut Module, _: CustomSectionReader<'_>) -> Outcome<()> {
        Ok(())
    }

    fn parse_function_section(
        &mut self,
        functions: &mut FunctionSection,
        section: FunctionSectionReader<'_>,
    ) -> Outcome<()> {
        let types = section.into_iter().collect::<wasmparser::Result<Vec<u32>>>()?;
        for &function in &self.order {
            functions.function(*types.get(function).ok_or(MISSING)?);
        }
        Ok(())
    }

    fn parse_code_section(
        &mut self,
        code: &mut CodeSection,
        section: CodeSectionReader<'_>,
    ) -> Outcome<()> {
        let bodies = section.into_iter().collect::<wasmparser::Result<Vec<_>>>()?;
        for function in self.order.clone() {
            self.parse_function_body(code, bodies.get(function).ok_or(MISSING)?.clone())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use wasm_encoder::{
        ConstExpr, ElementSection, Elements, EntityType, ExportKind, ExportSection, Function,
        ImportSection, MemorySection, MemoryType, TableSection, TableType, TypeSection, ValType,
    };
    use wasmparser::Operator;

    use super::*;

    /// One import, and functions of as many instructions as their number says: the last is exported
    /// and calls the first, which is in the table.
    fn module(functions: u32) -> Vec<u8> {
        let mut types = TypeSection::new();
        types.ty().function([], []);
        types.ty().function([], [ValType::I64]);
        let mut imports = ImportSection::new();
        imports.import("a", "b", EntityType::Function(0));
        let mut declared = FunctionSection::new();
        let mut code = CodeSection::new();
        for function in 1..=functions {
            let last = function == functions;
            declared.function(u32::from(last));
            let mut body = Function::new([]);
            let mut write = body.instructions();
            for _ in 0..function {
                write.i32_const(0).i64_load(MemArg { offset: 8, align: 2, memory_index: 0 }).drop();
            }
            if last {
                write.call(1).i64_const(7);
            }
            write.end();
            code.function(&body);
        }
        let mut tables = TableSection::new();
        tables.table(TableType {
            element_type: wasm_encoder::RefType::FUNCREF,
            table64: false,
            minimum: 1,
            maximum: Some(1),
            shared: false,
        });
        let mut memories = MemorySection::new();
        memories.memory(MemoryType {
            minimum: 1,
            maximum: None,
            memory64: false,
            shared: false,
            page_size_log2: None,
        });
        let mut exports = ExportSection::new();
        exports.export("last", ExportKind::Func, functions);
        let mut elements = ElementSection::new();
        elements.active(None, &ConstExpr::i32_const(0), Elements::Functions([1].as_slice().into()));
        let mut module = Module::new();
        module
            .section(&types)
            .section(&imports)
            .section(&declared)
            .section(&tables)
            .section(&memories)
            .section(&exports)
            .section(&elements)
            .section(&code);
        module.finish()
    }

    /// The loads of each function, and the calls it makes; the functions exported, and in the table.
    #[derive(Debug, Default)]
    struct Facts {
        loads: Vec<usize>,
        calls: Vec<(usize, u32)>,
        exported: Vec<u32>,
        table: Vec<u32>,
    }

    fn facts(module: &[u8]) -> Facts {
        let mut facts = Facts::default();
        for payload in Parser::new(0).parse_all(module) {
            match payload.unwrap() {
                Payload::ExportSection(section) => {
                    facts.exported.extend(section.into_iter().map(|export| export.unwrap().index));
                }
                Payload::ElementSection(section) => {
                    for element in section {
                        let wasmparser::ElementItems::Functions(items) = element.unwrap().items
                        else {
                            panic!("not functions")
                        };
                        facts.table.extend(items.into_iter().map(Result::unwrap));
                    }
                }
                Payload::CodeSectionEntry(body) => {
                    let function = facts.loads.len() + 1;
                    facts.loads.push(0);
                    for operator in body.get_operators_reader().unwrap() {
                        match operator.unwrap() {
                            Operator::I64Load { memarg } => {
                                assert_eq!((memarg.align, memarg.offset), (3, 8));
                                *facts.loads.last_mut().unwrap() += 1;
                            }
                            Operator::Call { function_index } => {
                                facts.calls.push((function, function_index));
                            }
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        facts
    }

    #[test]
    fn every_function_is_still_what_it_was() {
        let arranged = arrange(&module(40)).unwrap();
        let facts = facts(&arranged);
        // The largest comes first.
        assert_eq!(facts.loads[0], 40);
        let mut sorted = facts.loads.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (1..=40).collect::<Vec<_>>());
        let place = |loads| facts.loads.iter().position(|&own| own == loads).unwrap() as u32 + 1;
        assert_eq!(facts.exported, [place(40)]);
        assert_eq!(facts.table, [place(1)]);
        assert_eq!(facts.calls, [(place(40) as usize, place(1))]);
    }

    #[test]
    fn what_is_no_module_is_an_error() {
        assert!(arrange(b"no module").is_err());
        assert!(arrange(b"\0asm\x01\0\0\0\x03\x02\x01\x00").is_err());
    }
}

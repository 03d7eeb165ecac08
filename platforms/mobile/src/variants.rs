//! The core's enums are open to additions, so the compiler lets a declaration here omit a variant;
//! lowering one then panics. These tests compare the declarations with the variants that the core's
//! own deserialisation lists.


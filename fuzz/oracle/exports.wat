;; What modules of wasm-tools smith export: functions of numbers, for the oracle can make and read nothing else.
(module
  (func (export "a") (param i32 i64) (result i64) unreachable)
  (func (export "b") (param f64 i32) (result f64) unreachable)
  (func (export "c") (param i32) (result i32 i64) unreachable)
  (func (export "d") (param f32) (result f32) unreachable)
  (func (export "e") (param i64 i64 i32 f64) (result i32) unreachable)
  (func (export "f") (result i64 f32 f64 i32) unreachable))

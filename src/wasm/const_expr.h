// Constant expressions: read and validated by the same operators as bodies are, restricted to the constant ones.
// Private to wasm/. Spec: 3.4.14.
#pragma once

#include "wasm/function_validator.h"

namespace cusp::wasm {

class ConstExprReader {
public:
  // `module` may grow between two reads: an expression sees the globals that it has then.
  explicit ConstExprReader(Module& module) : module_(module), validator_(module) {}
  // Reads up to and with `end`; the cursor is left after it. Functions named by ref.func become declared.
  // False: the error is in the cursor.
  bool read(Cursor& cursor, ValType expected, ConstExpr& expr);

private:
  bool note(ConstExpr& expr);
  bool note_global(std::uint32_t index);

  Module& module_;
  FunctionValidator validator_;
  FuncType type_; // no parameters, the expected result
};

} // namespace cusp::wasm

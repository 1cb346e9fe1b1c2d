// WIT text to tokens. Comments are skipped but for documentation ("///", "/** */"), which is kept for the token after it.
// Spec: WIT.md "Lexical structure".
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "wit/source.h"

namespace cusp::wit {

enum class TokenKind : std::uint8_t { End, Identifier, Keyword, Integer, Version, String, Punctuation };

struct Token {
  TokenKind kind = TokenKind::End;
  Span span;
  std::string_view text; // as written; an identifier without its '%'
};

struct Lexed {
  std::vector<Token> tokens;     // closed by End
  std::vector<std::string> docs; // of the token with the same index
};

bool is_keyword(std::string_view word);

base::Result<Lexed> lex(const Sources& sources, std::uint32_t file);

// The name that a string literal stands for, escapes resolved. Spec: core `name`, text format.
base::Result<std::string> unescape(const Sources& sources, Span literal);

} // namespace cusp::wit

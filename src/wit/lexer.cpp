#include "wit/lexer.h"

#include <algorithm>

#include <fmt/format.h>

#include "wit/names.h"

namespace cusp::wit {

using base::Result;

namespace {

constexpr std::string_view kKeywords[] = {
    "as",   "async", "bool",   "borrow", "char",    "constructor", "enum",     "error-context", "export",
    "f32",  "f64",   "flags",  "from",   "func",    "future",      "import",   "include",       "interface",
    "list", "map",   "option", "own",    "package", "record",      "resource", "result",        "s16",
    "s32",  "s64",   "s8",     "static", "stream",  "string",      "tuple",    "type",          "u16",
    "u32",  "u64",   "u8",     "use",    "variant", "with",        "world"};

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word(char c) { return is_letter(c) || is_digit(c) || c == '-'; }

// One Unicode scalar value; absent: not UTF-8.
std::optional<char32_t> decode_utf8(std::string_view text, std::size_t& at) {
  auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  unsigned char lead = byte(at);
  unsigned length = lead < 0x80                   ? 1
                    : lead >= 0xc2 && lead < 0xe0 ? 2
                    : (lead & 0xf0) == 0xe0       ? 3
                    : lead >= 0xf0 && lead < 0xf5 ? 4
                                                  : 0;
  if (length == 0 || at + length > text.size()) return std::nullopt;
  char32_t value = length == 1 ? lead : lead & (0x7fu >> length);
  for (unsigned i = 1; i < length; ++i) {
    if ((byte(at + i) & 0xc0) != 0x80) return std::nullopt;
    value = value << 6 | (byte(at + i) & 0x3f);
  }
  if ((length == 3 && value < 0x800) || (length == 4 && value < 0x10000) || value > 0x10ffff ||
      (value >= 0xd800 && value < 0xe000))
    return std::nullopt;
  at += length;
  return value;
}

void append_utf8(std::string& out, std::uint32_t value) {
  if (value < 0x80) {
    out += static_cast<char>(value);
    return;
  }
  unsigned more = value < 0x800 ? 1 : value < 0x10000 ? 2 : 3;
  out += static_cast<char>((0xff00 >> (more + 1) & 0xff) | value >> (6 * more));
  while (more-- != 0) out += static_cast<char>(0x80 | (value >> (6 * more) & 0x3f));
}

// Spec: "wit files must not contain": what could make a reader see another text than the parser.
bool is_forbidden(char32_t c) {
  if (c < 0x20) return c != '\t' && c != '\n' && c != '\r';
  if (c < 0x80) return c == 0x7f;
  constexpr char32_t kSingles[] = {0x149, 0x673, 0xf77, 0xf79, 0x17a3, 0x17a4, 0x17b4, 0x17b5, 0x2329, 0x232a, 0xe0001};
  return c < 0xa0 || (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) ||
         std::ranges::find(kSingles, c) != std::end(kSingles);
}

class Lexer {
public:
  Lexer(const Sources& sources, std::uint32_t file) : sources_(sources), file_(file), text_(sources[file].text) {}

  Result<Lexed> run() {
    if (text_.size() > kMaxBytes) return sources_.fail({file_, 0, 1}, "the file is too large for a WIT text; split it");
    CUSP_TRY(check_characters());
    if (text_.starts_with("\xef\xbb\xbf")) at_ = 3;
    for (;;) {
      CUSP_TRY(skip_blank());
      Token token = CUSP_TRY(next());
      lexed_.tokens.push_back(token);
      lexed_.docs.push_back(std::exchange(docs_, {}));
      if (token.kind == TokenKind::End) return std::move(lexed_);
    }
  }

private:
  static constexpr std::size_t kMaxBytes = std::size_t{1} << 28;

  Span span(std::size_t begin, std::size_t end) const {
    return {file_, static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)};
  }
  char peek(std::size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }

  Result<void> check_characters() {
    for (std::size_t at = 0; at < text_.size();) {
      std::size_t begin = at;
      auto character = decode_utf8(text_, at);
      if (!character) return sources_.fail(span(begin, begin + 1), "this is not UTF-8; save the file as UTF-8");
      if (is_forbidden(*character))
        return sources_.fail(span(begin, at), fmt::format("the character U+{:04X} must not stand in WIT; remove it",
                                                          static_cast<std::uint32_t>(*character)));
    }
    return {};
  }

  Result<void> skip_blank() {
    for (;;) {
      char c = peek();
      if (at_ < text_.size() && (c == ' ' || c == '\n' || c == '\r' || c == '\t')) {
        ++at_;
      } else if (c == '/' && peek(1) == '/') {
        std::size_t end = std::min(text_.find('\n', at_), text_.size());
        std::string_view comment = text_.substr(at_ + 2, end - at_ - 2);
        if (comment.ends_with('\r')) comment.remove_suffix(1);
        if (comment.starts_with('/') && !comment.starts_with("//")) add_doc_line(comment.substr(1));
        at_ = end;
      } else if (c == '/' && peek(1) == '*') {
        CUSP_TRY(block_comment());
      } else {
        return {};
      }
    }
  }

  void add_doc_line(std::string_view line) {
    if (line.starts_with(' ')) line.remove_prefix(1);
    while (line.ends_with(' ') || line.ends_with('\t')) line.remove_suffix(1);
    if (has_docs()) docs_ += '\n';
    docs_ += line;
    documented_ = lexed_.tokens.size();
  }
  bool has_docs() const { return documented_ == lexed_.tokens.size(); }

  Result<void> block_comment() {
    std::size_t begin = at_;
    unsigned depth = 0;
    do {
      if (at_ >= text_.size())
        return sources_.fail(span(begin, begin + 2), "this comment is not closed; end it with `*/`");
      if (peek() == '/' && peek(1) == '*') ++depth, at_ += 2;
      else if (peek() == '*' && peek(1) == '/') --depth, at_ += 2;
      else ++at_;
    } while (depth != 0);
    std::string_view comment = text_.substr(begin, at_ - begin);
    if (!comment.starts_with("/**") || comment.size() < 5 || comment.starts_with("/***")) return {};
    comment = comment.substr(3, comment.size() - 5);
    bool first = true;
    while (!comment.empty()) {
      std::size_t end = std::min(comment.find('\n'), comment.size());
      std::string_view line = comment.substr(0, end);
      comment.remove_prefix(std::min(end + 1, comment.size()));
      if (line.ends_with('\r')) line.remove_suffix(1);
      std::size_t star = line.find_first_not_of(" \t");
      bool blank = star == std::string_view::npos;
      if (!blank && !first && line[star] == '*') line = line.substr(star + 1);
      else if (!blank && !first) line = line.substr(star);
      if (!(blank && (first || comment.empty()))) add_doc_line(blank ? std::string_view() : line);
      first = false;
    }
    return {};
  }

  Token token(TokenKind kind, std::size_t begin) const {
    return {kind, span(begin, at_), text_.substr(begin, at_ - begin)};
  }

  Result<Token> next() {
    std::size_t begin = at_;
    if (at_ >= text_.size()) return Token{TokenKind::End, span(begin, begin), {}};
    char c = peek();
    if (is_letter(c) || c == '%') return identifier();
    if (is_digit(c)) {
      while (is_digit(peek())) ++at_;
      if (peek() == '.' && is_digit(peek(1))) return version(begin);
      if (is_letter(peek()))
        return sources_.fail(span(begin, at_ + 1), "a name must begin with a letter; put one before the digits");
      return token(TokenKind::Integer, begin);
    }
    if (c == '"') return string();
    if (c == '-' && peek(1) == '>') {
      at_ += 2;
      return token(TokenKind::Punctuation, begin);
    }
    constexpr std::string_view kPunctuation = "=,:;(){}<>*/.@_";
    if (kPunctuation.find(c) != std::string_view::npos) {
      ++at_;
      return token(TokenKind::Punctuation, begin);
    }
    std::size_t end = at_;
    decode_utf8(text_, end);
    return sources_.fail(span(at_, end),
                         fmt::format("`{}` has no meaning in WIT; remove it", text_.substr(at_, end - at_)));
  }

  // `1.2.3-rc.1+build`; a `.` that no part follows belongs to the grammar: `use a:b/c@1.2.3.{d}`.
  Token version(std::size_t begin) {
    while (is_word(peek()) || peek() == '+' || (peek() == '.' && is_word(peek(1)))) ++at_;
    return token(TokenKind::Version, begin);
  }

  Result<Token> identifier() {
    std::size_t begin = at_;
    bool escaped = peek() == '%';
    if (escaped) ++at_;
    std::size_t word = at_;
    while (is_word(peek())) {
      if (peek() == '-' && peek(1) == '>') break;
      ++at_;
    }
    std::string_view text = text_.substr(word, at_ - word);
    if (!escaped && is_keyword(text)) return token(TokenKind::Keyword, begin);
    if (auto problem = label_problem(text)) {
      if (peek() == '_')
        return sources_.fail(span(begin, at_ + 1),
                             fmt::format("`_` cannot stand in a name; write `{}-` and so on with '-'", text));
      return sources_.fail(span(begin, std::max(at_, begin + 1)),
                           fmt::format("`{}` is not a name: {}", text_.substr(begin, at_ - begin), *problem));
    }
    if (peek() == '_')
      return sources_.fail(span(begin, at_ + 1), "`_` cannot stand in a name; separate words with '-'");
    Token result = token(TokenKind::Identifier, begin);
    result.text = text;
    return result;
  }

  Result<Token> string() {
    std::size_t begin = at_++;
    for (; peek() != '"'; ++at_) {
      if (at_ >= text_.size() || peek() == '\n')
        return sources_.fail(span(begin, at_), "this string is not closed; end it with `\"` on the same line");
      if (peek() == '\\') ++at_;
    }
    ++at_;
    return token(TokenKind::String, begin);
  }

  const Sources& sources_;
  std::uint32_t file_;
  std::string_view text_;
  std::size_t at_ = 0;
  std::string docs_;
  std::size_t documented_ = ~std::size_t{0}; // the token that docs_ is for
  Lexed lexed_;
};

std::optional<std::uint32_t> hex_digits(std::string_view text) {
  std::uint32_t value = 0;
  if (text.empty() || text.size() > 8) return std::nullopt;
  for (char c : text) {
    int digit = is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
    if (digit < 0) return std::nullopt;
    value = value << 4 | static_cast<std::uint32_t>(digit);
  }
  return value;
}

} // namespace

bool is_keyword(std::string_view word) { return std::ranges::find(kKeywords, word) != std::end(kKeywords); }

Result<Lexed> lex(const Sources& sources, std::uint32_t file) { return Lexer(sources, file).run(); }

Result<std::string> unescape(const Sources& sources, Span literal) {
  std::string_view text = sources.text(literal);
  text = text.substr(1, text.size() - 2);
  std::string out;
  auto bad = [&](std::size_t at) {
    Span span{literal.file, static_cast<std::uint32_t>(literal.begin + 1 + at),
              static_cast<std::uint32_t>(literal.begin + 3 + at)};
    return sources.fail(span, R"(this escape is unknown; use \t \n \r \" \' \\ \hh or \u{hhhh})");
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      out += text[i];
      continue;
    }
    std::size_t at = i++;
    constexpr std::string_view kNames = "tnr\"'\\", kValues = "\t\n\r\"'\\";
    if (std::size_t plain = kNames.find(text[i]); plain != std::string_view::npos) {
      out += kValues[plain];
    } else if (text[i] == 'u') {
      std::size_t close = text.find('}', i);
      if (i + 1 >= text.size() || text[i + 1] != '{' || close == std::string_view::npos) return bad(at);
      auto value = hex_digits(text.substr(i + 2, close - i - 2));
      if (!value || *value > 0x10ffff || (*value >= 0xd800 && *value < 0xe000)) return bad(at);
      append_utf8(out, *value);
      i = close;
    } else {
      auto value = hex_digits(text.substr(i, 2));
      if (!value || i + 1 >= text.size()) return bad(at);
      out += static_cast<char>(*value);
      ++i;
    }
  }
  for (std::size_t at = 0; at < out.size();)
    if (!decode_utf8(out, at)) return sources.fail(literal, "this string is not UTF-8; check its escapes");
  return out;
}

} // namespace cusp::wit

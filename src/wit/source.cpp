#include "wit/source.h"

#include <algorithm>

#include <fmt/format.h>

namespace cusp::wit {

namespace {

constexpr std::size_t kMaxShown = 160; // of a line, so that a minified file does not flood the terminal

// Characters, not bytes: a caret stands under what a terminal shows.
std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return (c & 0xc0) != 0x80; }));
}

} // namespace

std::uint32_t Sources::add(std::string path, std::string text) {
  files_.push_back({std::move(path), std::move(text)});
  return static_cast<std::uint32_t>(files_.size() - 1);
}

std::unexpected<base::Error> Sources::fail(Span span, std::string sentence) const {
  const SourceFile& file = files_[span.file];
  std::string_view text = file.text;
  std::size_t begin = std::min<std::size_t>(span.begin, text.size());
  std::size_t line_begin = 0;
  if (std::size_t newline = begin == 0 ? std::string_view::npos : text.rfind('\n', begin - 1);
      newline != std::string_view::npos)
    line_begin = newline + 1;
  std::size_t line_end = std::min(text.find('\n', begin), text.size());
  if (line_end > line_begin && text[line_end - 1] == '\r') --line_end;
  auto line = static_cast<std::uint32_t>(std::ranges::count(text.substr(0, line_begin), '\n') + 1);

  std::string_view before = text.substr(line_begin, begin - line_begin);
  auto column = static_cast<std::uint32_t>(characters(before) + 1);
  std::size_t shown_from = before.size() > kMaxShown ? begin - kMaxShown / 2 : line_begin;
  std::string shown(text.substr(shown_from, std::min(line_end - std::min(line_end, shown_from), kMaxShown)));
  std::string pad(text.substr(shown_from, begin - shown_from));
  std::erase_if(pad, [](char c) { return (c & 0xc0) == 0x80; });
  std::ranges::replace_if(pad, [](char c) { return c != '\t'; }, ' ');
  std::size_t end = std::clamp<std::size_t>(span.end, begin + 1, std::max(line_end, begin + 1));
  std::size_t marks = begin < text.size() ? characters(text.substr(begin, std::min(end - begin, kMaxShown))) : 1;

  std::string number = fmt::format("{}", line);
  base::Error error{.code = base::ErrorCode::Malformed,
                    .message = fmt::format("{}\n  {} | {}\n  {:{}} | {}{:^>{}}", sentence, number, shown, "",
                                           number.size(), pad, "", std::max<std::size_t>(marks, 1)),
                    .file = file.path,
                    .line = line};
  error.column = column;
  return std::unexpected(std::move(error));
}

} // namespace cusp::wit

// The texts that are being read, and the places in them. An error of this room shows its line with a caret:
//   wit/shop.wit:7:12: there is no type `orderr` here; did you mean `order`?
//     7 |   submit: func(order: orderr) -> result<order, string>;
//       |                       ^^^^^^
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "base/result.h"

namespace cusp::wit {

// Half open, in bytes of the file.
struct Span {
  std::uint32_t file = 0, begin = 0, end = 0;
};

struct SourceFile {
  std::string path; // as the user wrote it
  std::string text;
};

class Sources {
public:
  // The text stays where it is: tokens and syntax trees hold views of it.
  std::uint32_t add(std::string path, std::string text);
  const SourceFile& operator[](std::uint32_t file) const { return files_[file]; }
  std::string_view text(Span span) const {
    return std::string_view(files_[span.file].text).substr(span.begin, span.end - span.begin);
  }
  // `sentence` says what is wrong and what to do.
  [[gnu::cold, gnu::noinline]] std::unexpected<base::Error> fail(Span span, std::string sentence) const;

private:
  std::deque<SourceFile> files_;
};

} // namespace cusp::wit

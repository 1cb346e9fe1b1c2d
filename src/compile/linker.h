// Lays the groups' objects out into one position-independent image and resolves everything: what would need work at
// load time is an error. Input: relocatable ELF objects as our own code generator and clang (guestlib/) make them.
// Deterministic: sections stand in input order.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"

namespace cusp::compile {

// A name defined in the image. Views into the objects that were linked.
struct LinkedSymbol {
  std::string_view name;
  std::uint32_t offset = 0, size = 0;
};

struct LinkedImage {
  std::vector<std::uint8_t> code; // text; read-only data from rodata_offset, a page boundary; .eh_frame last
  std::uint32_t text_size = 0, rodata_offset = 0, eh_frame_offset = 0, eh_frame_size = 0;
  std::vector<LinkedSymbol> functions;                           // functions in text, by offset
  std::unordered_map<std::string_view, std::uint32_t> addresses; // of every global symbol
  std::deque<std::string> names;                                 // of symbols of modules behind the first
};

// REQUIRES: the objects outlive the result's names. Error: Compile, naming the symbol or relocation that has no place
// in an artifact.
struct LinkInput {
  std::span<const std::uint8_t> bytes;
  std::uint32_t module = 0; // whose group it is, for place_symbol()
};

// The name in the image of a symbol of a group of this module (number_in_group()).
std::string place_symbol(std::string_view symbol, std::uint32_t module);

base::Result<LinkedImage> link_objects(std::span<const LinkInput> objects);

} // namespace cusp::compile

// cusp-fuzz-gen FOLDER FIRST COUNT writes the modules of COUNT seeds from FIRST on to FOLDER/SEED.wasm.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

#include "generator.h"

int main(int argc, char** argv) {
  if (argc != 4) return std::fputs("usage: cusp-fuzz-gen FOLDER FIRST COUNT\n", stderr), 2;
  const std::uint64_t first = std::strtoull(argv[2], nullptr, 10), count = std::strtoull(argv[3], nullptr, 10);
  for (std::uint64_t seed = first; seed != first + count; ++seed) {
    const auto module = cusp::fuzz::generate_module(seed);
    const std::string path = std::string(argv[1]) + "/" + std::to_string(seed) + ".wasm";
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(module.data()), static_cast<std::streamsize>(module.size()));
    if (!file.flush()) return std::fprintf(stderr, "cannot write %s\n", path.c_str()), 1;
  }
}

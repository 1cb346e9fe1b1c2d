// Files and folders of WIT. Spec: WIT.md "Filesystem structure".
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <fmt/format.h>

#include "wit/resolver.h"

namespace cusp::wit {

using base::ErrorCode;
using base::Result;
namespace fs = std::filesystem;

namespace {

Result<std::uint32_t> read(Sources& sources, const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  if (!in || !(text << in.rdbuf()).good()) {
    if (in && fs::file_size(path) == 0) return sources.add(path.string(), {});
    return base::fail_errno("read", path.string(), errno);
  }
  return sources.add(path.string(), std::move(text).str());
}

Result<std::vector<fs::path>> entries(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::path> result;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
    result.push_back(it->path());
  if (error) return base::fail(ErrorCode::Io, fmt::format("cannot list {}: {}", folder.string(), error.message()));
  std::ranges::sort(result);
  return result;
}

Result<PackageSource> read_folder(Sources& sources, const fs::path& folder) {
  PackageSource package;
  for (const fs::path& path : CUSP_TRY(entries(folder)))
    if (path.extension() == ".wit" && fs::is_regular_file(path)) package.files.push_back(CUSP_TRY(read(sources, path)));
  if (package.files.empty())
    return base::fail(ErrorCode::NotFound, fmt::format("{} holds no .wit file", folder.string()));
  return package;
}

Result<void> read_deps(Sources& sources, const fs::path& folder, std::vector<PackageSource>& packages) {
  for (const fs::path& path : CUSP_TRY(entries(folder))) {
    if (fs::is_directory(path)) {
      packages.push_back(CUSP_TRY(read_folder(sources, path)));
    } else if (path.extension() == ".wit") {
      packages.push_back({{CUSP_TRY(read(sources, path))}});
    } else if (path.extension() == ".wasm" || path.extension() == ".wat") {
      return base::fail(ErrorCode::Unsupported,
                        fmt::format("{} is a binary package; replace it by its text: cusp wit {} -o {}.wit",
                                    path.string(), path.string(), path.stem().string()));
    }
  }
  return {};
}

} // namespace

Result<Graph> load_wit(const std::string& path, const ResolveOptions& options) {
  Sources sources;
  std::vector<PackageSource> packages;
  std::error_code error;
  if (fs::is_directory(path, error)) {
    packages.push_back(CUSP_TRY(read_folder(sources, path)));
    if (fs::is_directory(fs::path(path) / "deps", error))
      CUSP_TRY(read_deps(sources, fs::path(path) / "deps", packages));
  } else {
    packages.push_back({{CUSP_TRY(read(sources, path))}});
  }
  return resolve_packages(sources, packages, options);
}

Result<Graph> parse_wit(std::string name, std::string text, const ResolveOptions& options) {
  Sources sources;
  std::uint32_t file = sources.add(std::move(name), std::move(text));
  return resolve_packages(sources, {{{file}}}, options);
}

} // namespace cusp::wit

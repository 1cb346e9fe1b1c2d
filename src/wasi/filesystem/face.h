// What the files of wasi:filesystem's faces share.
#pragma once

#include "canon/bind.h"

namespace cusp::wasi {

void add_filesystem_3(canon::Linker& linker); // wasi:filesystem/types 0.3

} // namespace cusp::wasi

// Cusp as a library: WebAssembly components and core modules in a C++ program. docs/embedding.md is the guide; each header says what is
// safe on which thread.
#pragma once

#include "cusp/component.hpp"
#include "cusp/describe.hpp"
#include "cusp/engine.hpp"
#include "cusp/error.hpp"
#include "cusp/linker.hpp"
#include "cusp/module.hpp"
#include "cusp/resource.hpp"
#include "cusp/task.hpp"
#include "cusp/type_info.hpp"
#include "cusp/value.hpp"

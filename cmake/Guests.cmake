# cusp_guest(NAME WORLD SOURCES ...) builds a component from C++ with clang, wasi-libc and wasm-tools: guests/NAME.wasm in the build
# tree, part of the target `guests`; its WIT is the guest kit's, or cusp_guest_of(NAME WIT WORLD SOURCES ...) says whose. cusp_core_guest(NAME KIND SOURCES ...) builds a core module.
find_program(WASM_TOOLS wasm-tools HINTS ${CMAKE_SOURCE_DIR}/.cache/tools/bin)
find_program(GUEST_CLANG clang++-22 REQUIRED)
add_custom_target(guests ALL)
set(_kit ${CMAKE_SOURCE_DIR}/include)

function(cusp_guest_of name wit world)
  set(_out ${CMAKE_BINARY_DIR}/guests/${name})
  set(_debug -Wl,--strip-debug)
  if(name MATCHES "^cli-")
    set(_debug -g) # for source lines in its backtraces
  endif()
  add_custom_command(OUTPUT ${_out}.wasm
    COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/guests
    COMMAND ${GUEST_CLANG} --target=wasm32-wasi -std=c++20 -O2 -nostdinc++ -nostdlib++ -fno-exceptions -fno-rtti -mexec-model=reactor
      -Wall -Wextra -Werror -Wno-deprecated -I${_kit} ${ARGN} ${_debug} -o ${_out}.core.wasm
    COMMAND ${WASM_TOOLS} component embed ${wit} --world ${world} ${_out}.core.wasm -o ${_out}.embed.wasm
    COMMAND ${WASM_TOOLS} component new ${_out}.embed.wasm -o ${_out}.wasm
    DEPENDS ${ARGN} ${_kit}/cusp/guest/http.hpp ${_kit}/cusp/guest/abi.hpp ${_kit}/cusp/guest/system.hpp ${wit}/world.wit
    VERBATIM)
  add_custom_target(guest_${name} DEPENDS ${_out}.wasm)
  add_dependencies(guests guest_${name})
endfunction()

function(cusp_guest name world)
  cusp_guest_of(${name} ${_kit}/cusp/guest/wit ${world} ${ARGN})
endfunction()

# KIND: bare (its exports are all there is), command (`main`) or reactor (`_initialize` and its exports); the latter two use WASI 0.1.
function(cusp_core_guest name kind)
  set(_out ${CMAKE_BINARY_DIR}/guests/${name})
  if(kind STREQUAL "bare")
    set(_link -nostartfiles -Wl,--no-entry -Wl,--export-dynamic)
  else()
    set(_link -mexec-model=${kind})
  endif()
  add_custom_command(OUTPUT ${_out}.wasm
    COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/guests
    COMMAND ${GUEST_CLANG} --target=wasm32-wasi -std=c++20 -O2 -g -nostdinc++ -nostdlib++ -fno-exceptions -fno-rtti
      -Wall -Wextra -Werror -Wno-deprecated -I${_kit} ${ARGN} ${_link} -o ${_out}.wasm
    DEPENDS ${ARGN} VERBATIM)
  add_custom_target(guest_${name} DEPENDS ${_out}.wasm)
  add_dependencies(guests guest_${name})
endfunction()

# cusp_text_guest(ROOM FILE) builds tests/ROOM/FOLDER/FILE.wat, FOLDER `components` if not given: guests/ROOM-FILE.wasm.
function(cusp_text_guest room file)
  set(_folder components ${ARGN})
  list(GET _folder -1 _folder)
  set(_source ${CMAKE_SOURCE_DIR}/tests/${room}/${_folder}/${file}.wat)
  set(_out ${CMAKE_BINARY_DIR}/guests/${room}-${file}.wasm)
  add_custom_command(OUTPUT ${_out}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/guests
    COMMAND ${WASM_TOOLS} parse ${_source} -o ${_out}
    DEPENDS ${_source} VERBATIM)
  add_custom_target(guest_${room}-${file} DEPENDS ${_out})
  add_dependencies(guests guest_${room}-${file})
endfunction()

if(WASM_TOOLS)
  cusp_text_guest(canon async)
  cusp_text_guest(canon adapters)
  cusp_text_guest(embed core guests)
  cusp_guest_of(embed ${CMAKE_SOURCE_DIR}/tests/embed/guests test:embed/guest ${CMAKE_SOURCE_DIR}/tests/embed/guests/guest.cpp)
  cusp_text_guest(wasi command3)
  cusp_text_guest(wasi service3)
  foreach(_plugin shout tidy)
    cusp_guest_of(plugin-${_plugin} ${CMAKE_SOURCE_DIR}/examples/plugins/wit acme:text/plugin ${CMAKE_SOURCE_DIR}/examples/plugins/${_plugin}.cpp)
  endforeach()
  cusp_guest(hello-http cusp:guest/http ${CMAKE_SOURCE_DIR}/examples/hello-http/hello.cpp)
  file(GLOB _guests CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/guests/*.cpp)
  foreach(_guest ${_guests})
    get_filename_component(_name ${_guest} NAME_WE)
    if(_name MATCHES "^http-")
      cusp_guest(${_name} cusp:guest/http-full ${_guest})
    elseif(_name MATCHES "^cli-")
      cusp_guest(${_name} cusp:guest/command ${_guest})
    elseif(_name MATCHES "^state-")
      cusp_guest(${_name} cusp:guest/state ${_guest})
    elseif(_name MATCHES "^net-")
      cusp_guest(${_name} cusp:guest/sockets ${_guest})
    elseif(_name STREQUAL "wasi-reactor")
      cusp_core_guest(${_name} reactor ${_guest})
    elseif(_name MATCHES "^wasi-")
      cusp_core_guest(${_name} command ${_guest})
    else()
      cusp_core_guest(${_name} bare ${_guest})
    endif()
  endforeach()
else()
  message(STATUS "wasm-tools not found: guests are not built; run scripts/dev setup")
endif()

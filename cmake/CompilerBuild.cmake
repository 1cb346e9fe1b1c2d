# Gives cusp_artifact a source that defines compiler_build(): a hash over the sources of every room that decides what code an
# input becomes. Run as a script (-P) it writes that source.
if(CMAKE_SCRIPT_MODE_FILE)
  set(_text "")
  file(GLOB_RECURSE _files LIST_DIRECTORIES false ${ROOT}/src/abi/* ${ROOT}/src/artifact/* ${ROOT}/src/compile/* ${ROOT}/src/component/* ${ROOT}/src/wasm/*)
  list(SORT _files)
  foreach(_file ${_files})
    file(SHA256 ${_file} _hash)
    string(APPEND _text "${_hash}")
  endforeach()
  string(SHA256 _hash "${_text}")
  string(SUBSTRING ${_hash} 0 16 _hash)
  set(_source "#include \"artifact/compiler_build.h\"\nstd::uint64_t cusp::artifact::compiler_build() { return 0x${_hash}; }\n")
  set(_old "")
  if(EXISTS ${OUT})
    file(READ ${OUT} _old)
  endif()
  if(NOT _old STREQUAL _source)
    file(WRITE ${OUT} "${_source}")
  endif()
  return()
endif()

file(GLOB_RECURSE _inputs CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/abi/* ${CMAKE_SOURCE_DIR}/src/artifact/* ${CMAKE_SOURCE_DIR}/src/compile/*
  ${CMAKE_SOURCE_DIR}/src/component/* ${CMAKE_SOURCE_DIR}/src/wasm/*)
add_custom_command(OUTPUT ${CMAKE_BINARY_DIR}/compiler_build.cpp
  COMMAND ${CMAKE_COMMAND} -DROOT=${CMAKE_SOURCE_DIR} -DOUT=${CMAKE_BINARY_DIR}/compiler_build.cpp -P ${CMAKE_SOURCE_DIR}/cmake/CompilerBuild.cmake
  DEPENDS ${_inputs} VERBATIM)
target_sources(cusp_artifact PRIVATE ${CMAKE_BINARY_DIR}/compiler_build.cpp)

# `cmake --install`: the two programs, the library, its headers, and what find_package(cusp) and pkg-config need. The library is one archive of
# all rooms that embed/ reaches; what those rooms link beyond that is told to users as dependencies.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(_rooms)
function(_cusp_reach room)
  if(room IN_LIST _rooms)
    return()
  endif()
  list(APPEND _rooms ${room})
  foreach(_next ${CUSP_ROOM_DEPS_${room}})
    _cusp_reach(${_next})
  endforeach()
  set(_rooms ${_rooms} PARENT_SCOPE)
endfunction()
_cusp_reach(embed)

add_library(cusp_library STATIC)
set_target_properties(cusp_library PROPERTIES OUTPUT_NAME cusp EXPORT_NAME cusp LINKER_LANGUAGE CXX)
target_compile_features(cusp_library INTERFACE cxx_std_23)
target_include_directories(cusp_library INTERFACE $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
set(_libs)
foreach(_room ${_rooms})
  get_target_property(_type cusp_${_room} TYPE)
  if(_type STREQUAL "STATIC_LIBRARY")
    target_sources(cusp_library PRIVATE $<TARGET_OBJECTS:cusp_${_room}>)
  endif()
  list(APPEND _libs ${CUSP_ROOM_LIBS_${_room}})
endforeach()
list(REMOVE_DUPLICATES _libs)

# How users link a library: by CMake, and by pkg-config.
set(_dependencies "")
set(_pkg_libs "")
foreach(_lib ${_libs})
  if(_lib STREQUAL "fmt::fmt")
    string(APPEND _dependencies "find_dependency(fmt)\n")
    string(APPEND _pkg_libs " -lfmt")
    target_link_libraries(cusp_library INTERFACE fmt::fmt)
  elseif(_lib STREQUAL "Threads::Threads")
    string(APPEND _dependencies "find_dependency(Threads)\n")
    string(APPEND _pkg_libs " -pthread")
    target_link_libraries(cusp_library INTERFACE Threads::Threads)
  elseif(_lib STREQUAL "SQLite::SQLite3")
    string(APPEND _dependencies "find_dependency(SQLite3)\n")
    string(APPEND _pkg_libs " -lsqlite3")
    target_link_libraries(cusp_library INTERFACE SQLite::SQLite3)
  elseif(_lib MATCHES "::")
    message(FATAL_ERROR "cmake/Install.cmake must be told how users of the library link ${_lib}")
  else() # by its name, wherever it lies
    get_filename_component(_name ${_lib} NAME_WE)
    string(REGEX REPLACE "^lib" "" _name ${_name})
    string(APPEND _pkg_libs " -l${_name}")
    target_link_libraries(cusp_library INTERFACE ${_name})
  endif()
endforeach()

install(TARGETS cusp)
if(TARGET cusp-compile)
  install(TARGETS cusp-compile)
endif()
install(TARGETS cusp_library EXPORT cuspTargets)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/include/cusp DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN *.hpp PATTERN *.wit)
# Where the compiler lies is known when the prefix is: a program that has moved away from it looks elsewhere, see EngineSettings.
install(CODE "file(WRITE \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_INCLUDEDIR}/cusp/installed.hpp\"
  \"#pragma once\\n#define CUSP_INSTALLED_COMPILER \\\"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}/cusp-compile\\\"\\n\")")

set(_config_dir ${CMAKE_INSTALL_LIBDIR}/cmake/cusp)
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/cuspConfig.cmake @ONLY CONTENT "include(CMakeFindDependencyMacro)
@_dependencies@include(\"\${CMAKE_CURRENT_LIST_DIR}/cuspTargets.cmake\")
")
write_basic_package_version_file(${CMAKE_BINARY_DIR}/cuspConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(EXPORT cuspTargets NAMESPACE cusp:: DESTINATION ${_config_dir})
install(FILES ${CMAKE_BINARY_DIR}/cuspConfig.cmake ${CMAKE_BINARY_DIR}/cuspConfigVersion.cmake DESTINATION ${_config_dir})

file(RELATIVE_PATH _up /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/cusp.pc @ONLY CONTENT "prefix=\${pcfiledir}/@_up@
libdir=\${prefix}/@CMAKE_INSTALL_LIBDIR@
includedir=\${prefix}/@CMAKE_INSTALL_INCLUDEDIR@

Name: cusp
Description: WebAssembly components and core modules in a C++ program
Version: @PROJECT_VERSION@
Cflags: -I\${includedir}
Libs: -L\${libdir} -lcusp@_pkg_libs@
")
install(FILES ${CMAKE_BINARY_DIR}/cusp.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

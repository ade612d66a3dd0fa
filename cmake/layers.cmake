# cmake/layers.cmake - the dependency rule on one screen: a layer links what it USES and nothing else
#
# fc_layer(app USES ports domain)  makes the target fc_app of src/app/*.cpp, with namespace = folder.
# A layer without sources yet is an interface target, so that the table in CMakeLists.txt is whole from the first day.

add_library(fc_options INTERFACE)
target_compile_features(fc_options INTERFACE cxx_std_23)
target_compile_options(fc_options INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wold-style-cast -Wnon-virtual-dtor
  $<$<BOOL:${FC_WERROR}>:-Werror>)
target_include_directories(fc_options INTERFACE ${CMAKE_SOURCE_DIR}/src)
target_link_libraries(fc_options INTERFACE Threads::Threads)
if(FC_SANITIZE)
  add_compile_options(-fsanitize=${FC_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${FC_SANITIZE})
  if(FC_SANITIZE MATCHES thread)
    # g++ 12 takes the move of a short std::string for a write beyond its end once memory is watched.
    add_compile_options(-Wno-array-bounds -Wno-stringop-overflow)
  endif()
endif()

function(fc_layer name)
  cmake_parse_arguments(arg "" "" "USES;LIBRARIES" ${ARGN})
  string(REGEX REPLACE ".*/" "" short ${name})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${name}/*.cpp)
  file(GLOB headers CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${name}/*.hpp)
  list(TRANSFORM arg_USES PREPEND fc_)
  if(sources)
    add_library(fc_${short} STATIC ${sources})
    set(scope PUBLIC)
  else()
    add_library(fc_${short} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_sources(fc_${short} ${scope} FILE_SET HEADERS BASE_DIRS ${CMAKE_SOURCE_DIR}/src FILES ${headers})
  set_target_properties(fc_${short} PROPERTIES VERIFY_INTERFACE_HEADER_SETS ON)
  target_link_libraries(fc_${short} ${scope} fc_options ${arg_USES} ${arg_LIBRARIES})
  if(EXISTS ${CMAKE_SOURCE_DIR}/src/${name}/precompiled.hpp AND sources)
    target_precompile_headers(fc_${short} PRIVATE ${CMAKE_SOURCE_DIR}/src/${name}/precompiled.hpp)
  endif()
endfunction()

# The verbs, as a library so that their tests link only what they reach; and the program: main, wiring
# and all the layers.
function(fc_program name)
  file(GLOB cli CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/cli/*.cpp)
  add_library(fc_cli STATIC ${cli})
  target_link_libraries(fc_cli PUBLIC fc_config fc_telemetry fc_sqlite fmt::fmt Boost::json CLI11::CLI11 CURL::libcurl)
  set_property(SOURCE ${CMAKE_SOURCE_DIR}/src/cli/version.cpp
    APPEND PROPERTY COMPILE_DEFINITIONS FC_VERSION="${PROJECT_VERSION}")
  file(GLOB wiring CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/wiring/*.cpp)
  add_executable(${name} ${CMAKE_SOURCE_DIR}/src/main.cpp ${wiring})
  target_link_libraries(${name} PRIVATE fc_cli fc_http fc_app fc_redis fc_postgres fc_webhook fc_guarded fc_probe
    fc_tracing     PkgConfig::libsystemd)
endfunction()

# Turns a text file into a header with one constant, so that the program carries it: schema.sql -> schema_sql.
function(fc_embed target file)
  string(REGEX REPLACE ".*/" "" name ${file})
  string(REPLACE "." "_" name ${name})
  set(header ${CMAKE_BINARY_DIR}/embedded/${file}.hpp)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${file})
  file(READ ${CMAKE_SOURCE_DIR}/src/${file} text)
  file(CONFIGURE OUTPUT ${header} CONTENT [[
// made from src/@file@ by cmake/layers.cmake
#pragma once

#include <string_view>

inline constexpr std::string_view @name@ = R"embed(@text@)embed";
]] @ONLY)
  target_include_directories(${target} PRIVATE ${CMAKE_BINARY_DIR}/embedded)
endfunction()

# All files of a folder as one array of name and text, sorted by name: migrations/*.sql -> migrations.sql.hpp.
function(fc_embed_folder target folder pattern)
  string(REGEX REPLACE ".*/" "" name ${folder})
  file(GLOB files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${folder}/${pattern})
  list(SORT files)
  set(entries "")
  foreach(file ${files})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
    file(READ ${file} text)
    get_filename_component(stem ${file} NAME_WE)
    string(APPEND entries "    EmbeddedFile{\"${stem}\", R\"embed(${text})embed\"},\n")
  endforeach()
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/embedded/${folder}.sql.hpp CONTENT [[
// made from src/@folder@ by cmake/layers.cmake
#pragma once

#include <array>
#include <string_view>

struct EmbeddedFile {
    std::string_view name;
    std::string_view text;
};

inline constexpr std::array embedded_@name@{
@entries@};
]] @ONLY)
  target_include_directories(${target} PRIVATE ${CMAKE_BINARY_DIR}/embedded)
endfunction()

# What protoc makes of a .proto, included as "adapters/tracing/otlp.pb.h"; a target of its own, since
# its code is not held to our warnings.
function(fc_protobuf target file)
  string(REGEX REPLACE "\\.proto$" "" stem ${file})
  set(folder ${CMAKE_BINARY_DIR}/embedded)
  file(MAKE_DIRECTORY ${folder})
  add_custom_command(
    OUTPUT ${folder}/${stem}.pb.h ${folder}/${stem}.pb.cc
    COMMAND protobuf::protoc --proto_path=${CMAKE_SOURCE_DIR}/src --cpp_out=${folder} ${file}
    DEPENDS ${CMAKE_SOURCE_DIR}/src/${file}
    VERBATIM)
  add_library(${target}_proto STATIC ${folder}/${stem}.pb.cc ${folder}/${stem}.pb.h)
  target_include_directories(${target}_proto SYSTEM PUBLIC ${folder})
  target_link_libraries(${target}_proto PUBLIC protobuf::libprotobuf-lite)
  target_link_libraries(${target} PRIVATE ${target}_proto)
endfunction()

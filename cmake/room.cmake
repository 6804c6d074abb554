# Declares the library of a room, coppice::<room>.
#
#   coppice_room(<room> SOURCES <file>... USES <target>... USES_PRIVATELY <target>...)
#
# Sources are listed by hand. USES is what the room's public headers need, USES_PRIVATELY what only
# its sources do; both go into the installed package and the .pc file by themselves.
function(coppice_room room)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;USES;USES_PRIVATELY")
  set(target coppice_${room})
  add_library(${target} ${arg_SOURCES})
  add_library(coppice::${room} ALIAS ${target})

  # Sources find "<room>/deque.h" in a folder where nothing stands but a link to their own room: to
  # include a file of another room does not compile.
  set(private_headers ${PROJECT_BINARY_DIR}/rooms/${room})
  file(MAKE_DIRECTORY ${private_headers})
  file(CREATE_LINK ${PROJECT_SOURCE_DIR}/${room} ${private_headers}/${room} SYMBOLIC)
  target_include_directories(
    ${target}
    PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/${room}/include>
    PRIVATE ${private_headers})

  target_link_libraries(${target} PUBLIC ${arg_USES} PRIVATE ${arg_USES_PRIVATELY})
  target_compile_features(${target} PUBLIC cxx_std_20)
  # Also below -O2, g++ must make tail calls of symmetric transfers, or a million ready awaits
  # overflow the stack. The coroutines are our users', and so is the flag.
  target_compile_options(${target} PUBLIC $<$<CXX_COMPILER_ID:GNU>:-foptimize-sibling-calls>)
  # A static library may end in a plugin, hence always position independent; g++ then inlines an
  # exported function only where nobody may replace it.
  target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-fno-semantic-interposition>)
  # Some of what Abseil's targets name, no room uses; not every compiler leaves that out by itself.
  target_link_options(${target} PRIVATE LINKER:--as-needed)
  set_target_properties(
    ${target}
    PROPERTIES CXX_VISIBILITY_PRESET hidden
               VISIBILITY_INLINES_HIDDEN ON
               POSITION_INDEPENDENT_CODE ON
               INSTALL_RPATH $ORIGIN
               EXPORT_NAME ${room}
               VERSION ${PROJECT_VERSION}
               SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
               COPPICE_USES "${arg_USES}"
               COPPICE_USES_PRIVATELY "${arg_USES_PRIVATELY}")
  coppice_warnings(${target})
  coppice_sanitize(${target})
endfunction()

# Declares a header that connects coppice with a library its users may have, coppice::<name>.
#
#   coppice_bridge(<name> DESCRIPTION <text> USES <target>...)
function(coppice_bridge name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "DESCRIPTION" "USES")
  set(target coppice_${name})
  add_library(${target} INTERFACE)
  add_library(coppice::${name} ALIAS ${target})
  target_link_libraries(${target} INTERFACE coppice_supervision ${arg_USES})
  set_target_properties(
    ${target}
    PROPERTIES EXPORT_NAME ${name}
               COPPICE_DESCRIPTION "${arg_DESCRIPTION}"
               COPPICE_USES "${arg_USES}")
  set_property(GLOBAL APPEND PROPERTY COPPICE_BRIDGES ${name})
endfunction()

# Checks that a source file is refused by the compiler with the message it asks for, and that it
# compiles once CONTROL is defined. The head of the file has, as comments,
#
#   // expect: <regex of CMake's>
#   // only: GNU                     if one compiler alone refuses it
cmake_minimum_required(VERSION 3.25)
file(STRINGS ${source} expect REGEX "^// expect: ")
file(STRINGS ${source} only REGEX "^// only: ")
string(REGEX REPLACE "^// expect: " "" expect "${expect}")
string(REGEX REPLACE "^// only: " "" only "${only}")
if(expect STREQUAL "")
  message(FATAL_ERROR "${source} has no line `// expect: <regex>`")
endif()

execute_process(
  COMMAND ${compiler} -DCONTROL ${source}
  ERROR_VARIABLE output
  RESULT_VARIABLE status)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "With CONTROL defined it should compile, and does not:\n${output}")
endif()

execute_process(
  COMMAND ${CMAKE_COMMAND} -E env LC_ALL=C ${compiler} ${source}
  ERROR_VARIABLE output
  RESULT_VARIABLE status)
if(only AND NOT id STREQUAL only)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "Only ${only} should refuse it, and this compiler does too:\n${output}")
  endif()
elseif(status EQUAL 0)
  message(FATAL_ERROR "It compiles, and should not.")
elseif(NOT output MATCHES "${expect}")
  message(FATAL_ERROR "It is refused, but no message matches `${expect}`:\n${output}")
endif()

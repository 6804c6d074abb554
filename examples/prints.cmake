# Runs a program, which must succeed and print what stands in a file. What differs from run to run,
# or whenever a line is added, is not compared: "task 7" is read as "task #", and a place in the
# source as the file's name.
cmake_minimum_required(VERSION 3.25)
execute_process(
  COMMAND ${program}
  OUTPUT_VARIABLE output
  RESULT_VARIABLE status)
string(REGEX REPLACE "task [0-9]+" "task #" compared "${output}")
string(REGEX REPLACE " at (/[^\n:]*/)?([a-z_]+\\.cpp):[0-9]+( \\([a-z_]+(\\(\\))?\\))?"
       " at \\2" compared "${compared}")
file(READ ${expected} text)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "It ended with ${status}, and printed:\n${output}")
elseif(NOT compared STREQUAL text)
  message(FATAL_ERROR "It printed:\n${output}\nand not:\n${text}")
endif()

# Runs a program, which must succeed and print what stands in a file.
cmake_minimum_required(VERSION 3.25)
execute_process(
  COMMAND ${program}
  OUTPUT_VARIABLE output
  RESULT_VARIABLE status)
file(READ ${expected} text)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "It ended with ${status}, and printed:\n${output}")
elseif(NOT output STREQUAL text)
  message(FATAL_ERROR "It printed:\n${output}\nand not:\n${text}")
endif()

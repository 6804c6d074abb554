# Read by ctest as it starts: makes a test of each suite that a gtest program has.
function(add_suites program folder environment)
  cmake_path(GET program FILENAME name)
  execute_process(
    COMMAND ${program} --gtest_list_tests
    OUTPUT_VARIABLE listing
    ERROR_QUIET
    RESULT_VARIABLE status)
  if(NOT status EQUAL 0)
    # A test that fails, rather than tests that nobody misses: it was not built, or ends too early.
    add_test(${folder}.${name}_lists_its_tests ${program} --gtest_list_tests)
    return()
  endif()
  # A suite stands at the beginning of a line and ends in a dot; behind it may stand a type.
  string(REGEX MATCHALL "\n[A-Za-z0-9_/]+\\.[ \n]" suites "\n${listing}")
  string(REGEX REPLACE "\\..*" "" label ${folder})
  foreach(suite IN LISTS suites)
    string(REGEX REPLACE "[. \n]" "" suite "${suite}")
    add_test(${folder}.${suite} ${program} --gtest_brief=1 --gtest_filter=${suite}.*)
    set_tests_properties(${folder}.${suite} PROPERTIES LABELS ${label} ENVIRONMENT "${environment}")
    if(suite MATCHES "Timing(/|$)")
      set_tests_properties(${folder}.${suite} PROPERTIES RUN_SERIAL TRUE)
    endif()
  endforeach()
endfunction()

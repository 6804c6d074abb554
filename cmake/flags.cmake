# The flags of a build in this tree, as functions on targets: nothing here reaches whoever adds coppice
# to a build of theirs.

# Warnings are for those who work on coppice; elsewhere its sources are compiled as they are.
function(coppice_warnings target)
  if(PROJECT_IS_TOP_LEVEL)
    target_compile_options(${target} PRIVATE -Wall -Wextra -Wconversion -Wshadow)
  endif()
  if(COPPICE_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
endfunction()

# g++ 12 does without tail calls, and so overflows the stack in symmetric transfer, unless
# AddressSanitizer leaves its stack alone and ThreadSanitizer its entries and exits. Clang needs
# nothing.
function(coppice_sanitize target)
  if(COPPICE_SANITIZE STREQUAL "address")
    set(runtime -fsanitize=address,undefined)
    set(flags ${runtime} -fno-sanitize-recover=all)
    set(gnu_flags -O2 --param=asan-stack=0)
  elseif(COPPICE_SANITIZE STREQUAL "thread")
    set(runtime -fsanitize=thread)
    set(flags ${runtime})
    set(gnu_flags -O2 --param=tsan-instrument-func-entry-exit=0)
  elseif(COPPICE_SANITIZE)
    message(FATAL_ERROR "COPPICE_SANITIZE is '${COPPICE_SANITIZE}'; it may be address or thread")
  else()
    return()
  endif()
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    list(APPEND flags ${gnu_flags})
  else()
    list(APPEND flags -O1)
  endif()
  # Lines are all that a report names of what -g would write.
  target_compile_options(${target} PUBLIC "$<BUILD_INTERFACE:${flags};-g1;-fno-omit-frame-pointer>")
  target_link_options(${target} PUBLIC "$<BUILD_INTERFACE:${runtime}>")
endfunction()

# Installs coppice into a folder of its own and builds a program with it in each way there is:
# find_package and pkg-config, static and shared, and as a subfolder of the program's build.
cmake_minimum_required(VERSION 3.25)

# Runs a command, which must succeed.
function(run)
  execute_process(COMMAND ${ARGN} OUTPUT_VARIABLE output ERROR_VARIABLE output RESULT_VARIABLE status)
  if(NOT status EQUAL 0)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "failed (${status}): ${command}\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

set(consumer ${CMAKE_CURRENT_LIST_DIR}/consumer)
set(configure ${CMAKE_COMMAND} -S ${consumer} -G ${generator} -DCMAKE_CXX_COMPILER=${compiler}
              -DCMAKE_BUILD_TYPE=${build_type})
set(ENV{CMAKE_CXX_COMPILER_LAUNCHER} "${launcher}")

function(build_and_run folder)
  run(${CMAKE_COMMAND} --build ${folder})
  foreach(program IN ITEMS supervised unsupervised with_absl with_asio)
    if(EXISTS ${folder}/${program})
      run(${folder}/${program})
    endif()
  endforeach()
endfunction()

# Tries the package installed under `prefix`: by find_package, then by pkg-config.
function(try_installed kind prefix)
  foreach(components IN ITEMS "executor" "executor;supervision"
                              "executor;supervision;absl;asio")
    set(folder ${work}/find_package_${kind})
    run(${configure} -B ${folder} -DCMAKE_PREFIX_PATH=${prefix} -DCOPPICE_VERSION=${version}
        "-DCOPPICE_COMPONENTS=${components}")
  endforeach()
  build_and_run(${folder})

  file(GLOB_RECURSE pc_file ${prefix}/coppice.pc)
  cmake_path(GET pc_file PARENT_PATH pc_folder)
  cmake_path(GET pc_folder PARENT_PATH library_folder)
  set(static "")
  if(kind STREQUAL "static")
    set(static --static)
  endif()
  foreach(program IN ITEMS "supervised coppice" "unsupervised coppice-executor"
                           "with_absl coppice-absl" "with_asio coppice-asio")
    separate_arguments(program)
    list(POP_BACK program module)
    run(${CMAKE_COMMAND} -E env PKG_CONFIG_PATH=${pc_folder} pkg-config --cflags --libs ${static}
        ${module})
    separate_arguments(flags UNIX_COMMAND "${output}")
    run(${compiler} -std=c++20 ${consumer}/${program}.cpp -o ${work}/${program} ${flags}
        -Wl,-rpath,${library_folder})
    run(${work}/${program})
  endforeach()
endfunction()

file(REMOVE_RECURSE ${work}/static ${work}/shared)

run(${CMAKE_COMMAND} --install ${build} --prefix ${work}/static)
try_installed(static ${work}/static)

# The one further build of the libraries.
set(folder ${work}/subfolder)
run(${configure} -B ${folder} -DCOPPICE_SOURCE=${source} -DBUILD_SHARED_LIBS=ON -DCOPPICE_INSTALL=ON)
build_and_run(${folder})
run(${CMAKE_COMMAND} --install ${folder} --prefix ${work}/shared)
try_installed(shared ${work}/shared)

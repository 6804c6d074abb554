# Installs coppice into a folder of its own and builds a program with it in each way there is:
# find_package and pkg-config, static and shared, by this compiler and another, and as a part of the program's build. Then
# asks Debian's tools what the libraries depend on, and removes what was installed.
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
set(configure_by ${CMAKE_COMMAND} -S ${consumer} -G ${generator} -DCMAKE_BUILD_TYPE=${build_type}
                 -DCMAKE_CXX_COMPILER=)
set(configure ${configure_by}${compiler})
set(other_compiler "")
foreach(each IN ITEMS g++ clang++-19)
  find_program(found_${each} ${each})
  cmake_path(GET compiler FILENAME name)
  if(found_${each} AND NOT name STREQUAL each)
    set(other_compiler ${found_${each}})
  endif()
endforeach()
set(ENV{CMAKE_CXX_COMPILER_LAUNCHER} "${launcher}")

function(build_and_run folder)
  run(${CMAKE_COMMAND} --build ${folder})
  foreach(program IN ITEMS supervised unsupervised with_absl with_asio with_tbb)
    if(EXISTS ${folder}/${program})
      run(${folder}/${program})
    endif()
  endforeach()
endfunction()

# Tries the package installed under `prefix`: by find_package, then by pkg-config.
function(try_installed kind prefix)
  foreach(components IN ITEMS "executor" "executor;supervision"
                              "executor;supervision;absl;asio;tbb")
    set(folder ${work}/find_package_${kind})
    run(${configure} -B ${folder} -DCMAKE_PREFIX_PATH=${prefix} -DCOPPICE_VERSION=${version}
        "-DCOPPICE_COMPONENTS=${components}")
  endforeach()
  build_and_run(${folder})
  if(other_compiler)
    set(folder ${work}/find_package_${kind}_otherwise)
    run(${configure_by}${other_compiler} -B ${folder} -DCMAKE_PREFIX_PATH=${prefix}
        -DCOPPICE_VERSION=${version} "-DCOPPICE_COMPONENTS=executor;supervision;absl;asio;tbb")
    build_and_run(${folder})
  endif()

  file(GLOB_RECURSE pc_file ${prefix}/coppice.pc)
  cmake_path(GET pc_file PARENT_PATH pc_folder)
  cmake_path(GET pc_folder PARENT_PATH library_folder)
  set(static "")
  if(kind STREQUAL "static")
    set(static --static)
  endif()
  foreach(program IN ITEMS "supervised coppice" "unsupervised coppice-executor"
                           "with_absl coppice-absl" "with_asio coppice-asio"
                           "with_tbb coppice-tbb")
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

file(REMOVE_RECURSE ${work}/static ${work}/shared ${work}/debian)

run(${CMAKE_COMMAND} --install ${build} --prefix ${work}/static)
try_installed(static ${work}/static)

# The one further build of the libraries.
set(folder ${work}/subfolder)
run(${configure} -B ${folder} -DCOPPICE_SOURCE=${source} -DBUILD_SHARED_LIBS=ON -DCOPPICE_INSTALL=ON)
build_and_run(${folder})
run(${CMAKE_COMMAND} --install ${folder} --prefix ${work}/shared)
try_installed(shared ${work}/shared)

# Whatever way is found to the sources, what is built is the same; so one room will do.
set(fetched ${work}/fetched)
run(${configure} -B ${fetched} -DCOPPICE_FETCHED=${source})
run(${CMAKE_COMMAND} --build ${fetched} --target unsupervised)
run(${fetched}/unsupervised)

# Debian's packagers: no library that is linked to and not used, no symbol whose library is not.
find_program(shlibdeps dpkg-shlibdeps)
if(shlibdeps)
  set(package ${work}/debian/coppice)
  file(MAKE_DIRECTORY ${package}/DEBIAN)
  file(WRITE ${work}/debian/control "Source: coppice\n\nPackage: libcoppice\nArchitecture: any\n")
  run(${CMAKE_COMMAND} -E env DESTDIR=${package} ${CMAKE_COMMAND} --install ${folder} --prefix /usr)
  file(GLOB_RECURSE libraries ${package}/libcoppice_*.so)
  execute_process(
    COMMAND ${shlibdeps} -O ${libraries}
    WORKING_DIRECTORY ${work}
    OUTPUT_VARIABLE output
    ERROR_VARIABLE warnings
    RESULT_VARIABLE status)
  if(status OR warnings OR NOT output MATCHES "libtbb12")
    message(FATAL_ERROR "dpkg-shlibdeps (${status}): ${output}${warnings}")
  endif()
endif()

run(${CMAKE_COMMAND} --install ${folder} --prefix ${work}/shared)
set(uninstall ${CMAKE_COMMAND} -Dmanifest=${folder}/install_manifest.txt -P
              ${source}/cmake/uninstall.cmake)
run(${uninstall})
file(GLOB_RECURSE left LIST_DIRECTORIES TRUE RELATIVE ${work}/shared ${work}/shared/*)
list(FILTER left INCLUDE REGEX "\\.|coppice")
if(left)
  message(FATAL_ERROR "an uninstall leaves behind: ${left}")
endif()
execute_process(COMMAND ${uninstall} ERROR_VARIABLE output RESULT_VARIABLE status)
if(status EQUAL 0 OR NOT output MATCHES "nothing to uninstall")
  message(FATAL_ERROR "a second uninstall does not say that there is nothing: ${output}")
endif()

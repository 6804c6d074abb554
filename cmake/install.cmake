# Installs the rooms: a CMake package with one component for each, and .pc files.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/coppice)

# `coppice_pc(<name> <description> <library or nothing> <requires> <requires.private>)`
function(coppice_pc name description library uses uses_privately)
  file(RELATIVE_PATH up "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
  set(libs "")
  if(library)
    set(libs "-L\${libdir} -l${library}")
  endif()
  # Debian has a .pc file for each library of Abseil; targets of ours are already called as ours are.
  foreach(list IN ITEMS uses uses_privately)
    string(REGEX REPLACE "Threads::Threads;?" "" ${list} "${${list}}")
    string(REPLACE "TBB::" "" ${list} "${${list}}")
    string(REPLACE "absl::" "absl_" ${list} "${${list}}")
    string(REPLACE "coppice_" "coppice-" ${list} "${${list}}")
    string(REPLACE ";" ", " ${list} "${${list}}")
  endforeach()
  configure_file(cmake/coppice.pc.in ${PROJECT_BINARY_DIR}/${name}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/${name}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endfunction()

foreach(room IN ITEMS executor supervision)
  install(
    TARGETS coppice_${room}
    EXPORT coppice-${room}
    INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  install(
    DIRECTORY ${room}/include/
    DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
    FILES_MATCHING PATTERN "*.h")
  get_target_property(uses coppice_${room} COPPICE_USES)
  get_target_property(uses_privately coppice_${room} COPPICE_USES_PRIVATELY)
  coppice_pc(coppice-${room} "The ${room} of coppice" coppice_${room} "${uses}" "${uses_privately}")
endforeach()
install(TARGETS coppice EXPORT coppice-supervision)
coppice_pc(coppice "${PROJECT_DESCRIPTION}" "" coppice_supervision "")

get_property(bridges GLOBAL PROPERTY COPPICE_BRIDGES)
foreach(bridge IN LISTS bridges)
  install(TARGETS coppice_${bridge} EXPORT coppice-${bridge})
  get_target_property(description coppice_${bridge} COPPICE_DESCRIPTION)
  get_target_property(uses coppice_${bridge} COPPICE_USES)
  # Boost has no .pc file: its headers are found where the compiler looks, or by the user.
  list(REMOVE_ITEM uses Boost::headers)
  coppice_pc(coppice-${bridge} "${description}" "" "coppice_supervision;${uses}" "")
endforeach()

foreach(component IN ITEMS executor supervision ${bridges})
  install(
    EXPORT coppice-${component}
    NAMESPACE coppice::
    DESTINATION ${package_folder})
endforeach()
configure_package_config_file(cmake/coppice-config.cmake.in
                              ${PROJECT_BINARY_DIR}/coppice-config.cmake
                              INSTALL_DESTINATION ${package_folder})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/coppice-config-version.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/coppice-config.cmake
              ${PROJECT_BINARY_DIR}/coppice-config-version.cmake DESTINATION ${package_folder})

if(PROJECT_IS_TOP_LEVEL)
  add_custom_target(
    uninstall
    COMMAND ${CMAKE_COMMAND} -Dmanifest=${CMAKE_BINARY_DIR}/install_manifest.txt -P
            ${PROJECT_SOURCE_DIR}/cmake/uninstall.cmake
    COMMENT "Removing what the last install from here has installed"
    VERBATIM)
endif()

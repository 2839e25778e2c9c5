# Removes what this build's manifests list, and the folders of our own that are
# empty then. It runs in the build folder; DESTDIR is as it was at installing.

file(GLOB manifests install_manifest*.txt)
if(NOT manifests)
  message(FATAL_ERROR "This build has installed nothing: there is no manifest.")
endif()

# Folders that others may use, such as bin, stay; ours have our name.
function(remove_empty folder)
  while(folder MATCHES "/(lib)?triptych")
    file(GLOB left LIST_DIRECTORIES true "${folder}/*" "${folder}/.*")
    if(left OR NOT IS_DIRECTORY "${folder}")
      return()
    endif()
    file(REMOVE_RECURSE "${folder}")
    get_filename_component(folder "${folder}" DIRECTORY)
  endwhile()
endfunction()

foreach(manifest ${manifests})
  file(STRINGS "${manifest}" installed)
  foreach(path ${installed})
    set(path "$ENV{DESTDIR}${path}")
    if(EXISTS "${path}" OR IS_SYMLINK "${path}")
      message(STATUS "Removing: ${path}")
      file(REMOVE "${path}")
    endif()
    get_filename_component(folder "${path}" DIRECTORY)
    remove_empty("${folder}")
  endforeach()
  file(REMOVE "${manifest}")
endforeach()

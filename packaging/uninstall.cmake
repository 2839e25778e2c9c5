# Removes all that this build has installed, wherever it was put, and the
# folders that were made for it, if nothing else is in them. It runs in the
# build folder; packaging/note.cmake has the form of the records.

cmake_minimum_required(VERSION 3.22)

file(GLOB records installed/*.txt)
if(NOT records)
  message(FATAL_ERROR
    "This build has installed nothing: there is no record of it.")
endif()

function(remove_empty folder)
  file(GLOB left LIST_DIRECTORIES true "${folder}/*" "${folder}/.*")
  if(NOT left AND IS_DIRECTORY "${folder}" AND NOT IS_SYMLINK "${folder}")
    file(REMOVE_RECURSE "${folder}")
  endif()
endfunction()

set(made)
foreach(record IN LISTS records)
  file(STRINGS "${record}" lines ENCODING UTF-8)
  foreach(line IN LISTS lines)
    if(NOT line MATCHES "^(prefix|made|file) (.*)")
      message(FATAL_ERROR "${record}: ${line}")
    endif()
    set(path "${CMAKE_MATCH_2}")
    if(CMAKE_MATCH_1 STREQUAL "prefix")
      set(prefix "${path}")
      continue()
    elseif(CMAKE_MATCH_1 STREQUAL "made")
      list(APPEND made "${path}")
      continue()
    endif()
    if(EXISTS "${path}" OR IS_SYMLINK "${path}")
      message(STATUS "Removing: ${path}")
      file(REMOVE "${path}")
    endif()
    # Folders that have our name are ours, and what Python caches there.
    get_filename_component(folder "${path}" DIRECTORY)
    file(RELATIVE_PATH below "${prefix}" "${folder}")
    while(below MATCHES "(^|/)(lib)?triptych")
      file(REMOVE_RECURSE "${prefix}/${below}/__pycache__")
      remove_empty("${prefix}/${below}")
      get_filename_component(below "${below}" DIRECTORY)
    endwhile()
  endforeach()
  file(REMOVE "${record}")
endforeach()

# What is in a folder before the folder.
list(SORT made ORDER DESCENDING)
foreach(folder IN LISTS made)
  remove_empty("${folder}")
endforeach()

# CMake's own list of the last installation.
file(GLOB manifests install_manifest*.txt)
foreach(manifest IN LISTS manifests)
  file(REMOVE "${manifest}")
endforeach()
remove_empty(installed)

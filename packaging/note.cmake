# What an installation has put somewhere, for uninstall: a file for each prefix,
# in the folder `installed` of the build. Every `cmake --install` includes this
# before it installs anything, with TRIPTYCH_FOLDERS, the folders that it will
# use, below the prefix or absolute; and afterwards, without.
#
# Lines: "prefix PATH", "made PATH" for a folder that was not there (a parent
# before what is in it), "file PATH". All paths begin with DESTDIR.

cmake_policy(VERSION 3.22)
set(root "$ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}")
string(MD5 name "${root}")
set(record "${TRIPTYCH_BUILD}/installed/${name}.txt")
set(lines "prefix ${root}")
if(EXISTS "${record}")
  file(STRINGS "${record}" lines ENCODING UTF-8)
endif()

if(TRIPTYCH_FOLDERS)
  # What is gone as a whole needs no record.
  file(GLOB others "${TRIPTYCH_BUILD}/installed/*.txt")
  foreach(other IN LISTS others)
    file(STRINGS "${other}" prefix LIMIT_COUNT 1 ENCODING UTF-8)
    string(REGEX REPLACE "^prefix " "" prefix "${prefix}")
    if(NOT IS_DIRECTORY "${prefix}" AND NOT other STREQUAL record)
      file(REMOVE "${other}")
    endif()
  endforeach()
  foreach(folder IN LISTS TRIPTYCH_FOLDERS)
    if(IS_ABSOLUTE "${folder}")
      set(folder "$ENV{DESTDIR}${folder}")
    else()
      set(folder "${root}/${folder}")
    endif()
    set(made)
    while(NOT EXISTS "${folder}")
      list(PREPEND made "made ${folder}")
      get_filename_component(folder "${folder}" DIRECTORY)
    endwhile()
    list(APPEND lines ${made})
  endforeach()
else()
  foreach(file IN LISTS CMAKE_INSTALL_MANIFEST_FILES)
    list(APPEND lines "file $ENV{DESTDIR}${file}")
  endforeach()
endif()

list(REMOVE_DUPLICATES lines)
list(JOIN lines "\n" lines)
file(WRITE "${record}" "${lines}\n")

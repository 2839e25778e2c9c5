# CPack reads this before it packs. The source tarball holds what git knows, and
# nothing else that lies in the tree, such as a student's work, or another
# folder to build in. Without git, what CPACK_SOURCE_IGNORE_FILES names is left
# out.

if(NOT CPACK_INSTALLED_DIRECTORIES)
  return() # the packages, which are made of what is installed
endif()
list(GET CPACK_INSTALLED_DIRECTORIES 0 tree)
if(NOT EXISTS "${tree}/.git")
  return()
endif()
execute_process(
  # The tree may be another user's.
  COMMAND git -c core.quotePath=false -c "safe.directory=${tree}"
    ls-files --others --directory
  WORKING_DIRECTORY "${tree}"
  OUTPUT_VARIABLE others
  COMMAND_ERROR_IS_FATAL ANY)
string(REGEX REPLACE "\n$" "" others "${others}")
string(REPLACE "\n" ";" others "${others}")
foreach(other IN LISTS others)
  string(REGEX REPLACE "([][+.*()^$?|\\])" "\\\\\\1" regex "${tree}/${other}")
  # A folder ends in a slash, and stands for all that is in it.
  if(NOT other MATCHES "/$")
    string(APPEND regex "$")
  endif()
  list(APPEND CPACK_IGNORE_FILES "^${regex}")
endforeach()

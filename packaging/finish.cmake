# CPack runs this when all components are staged, before it packs them.
execute_process(
  COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/finish ${CPACK_TEMPORARY_DIRECTORY}
  COMMAND_ERROR_IS_FATAL ANY)

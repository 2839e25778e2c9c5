# Debian packages, a component each, and the source tarball: ./run package.

set(CPACK_PACKAGE_CONTACT
  "Triptych maintainers <maintainers@triptych.example>")
set(CPACK_PACKAGE_NAME triptych)
set(CPACK_PACKAGE_VENDOR "triptych")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "") # each package has its own
set(CPACK_VERBATIM_VARIABLES ON)
set(CPACK_STRIP_FILES ON)
set(CPACK_GENERATOR DEB)
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_SOURCE_DIR}/packaging/finish.cmake)

set(CPACK_SOURCE_GENERATOR TGZ)
set(CPACK_SOURCE_PACKAGE_FILE_NAME triptych-${PROJECT_VERSION})
set(CPACK_SOURCE_IGNORE_FILES
  "/build/" "/\\.git/" "/\\.git$" "/node_modules/" "/__pycache__/")
set(CPACK_PROJECT_CONFIG_FILE ${CMAKE_SOURCE_DIR}/packaging/source.cmake)

set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(this "(= ${PROJECT_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE})")

# package(NAME SECTION SUMMARY DESCRIPTION, then fields as CPack names them and
# their values): a component of that name becomes a package.
macro(package name section summary description)
  list(APPEND CPACK_COMPONENTS_ALL ${name})
  string(TOUPPER ${name} upper)
  set(CPACK_COMPONENT_${upper}_DESCRIPTION "${summary}\n${description}")
  set(CPACK_DEBIAN_${upper}_PACKAGE_NAME ${name})
  set(CPACK_DEBIAN_${upper}_PACKAGE_SECTION ${section})
  set(fields ${ARGN})
  while(fields)
    list(POP_FRONT fields field value)
    set(CPACK_DEBIAN_${upper}_${field} "${value}")
  endwhile()
endmacro()

package(triptych net
  "fetch many URLs at once, by threads, processes or an event loop"
  "Four fetchers with the same options, results and promises, written with
three models of concurrency: a pool of threads, forked workers on pipes, one
event loop, and coroutines on such a loop. They take many URLs (http, https,
file, tcp, udp, postgresql), fetch them in parallel, and write the bodies whole
and in order, or to files, in bounded memory: a consumer that stops reading
stops the servers.
.
With them come a practice server that is slow, broken or silent as a URL asks,
programs that show, race and measure the four, and one that spreads a list over
many machines by Slurm."
  PACKAGE_SHLIBDEPS ON
  PACKAGE_RECOMMENDS "ca-certificates, python3"
  PACKAGE_SUGGESTS "triptych-lab, slurm-client, gnuplot-nox, curl, wrk, nginx, aria2, wget2, \
nghttp2-client, strace, python3-aiohttp")

package(triptych-lab education
  "labs on three models of concurrency, and their graders"
  "Seven labs, most of them cut from the source of triptych: puzzles, a protocol,
a pool of threads, forked workers on pipes, an event loop, a comparison of the
three, and coroutines. The tool makes students' folders and bug hunts, compiles
and runs what comes back apart from everything else, and says for each failure
what was seen, what it means, and where to look. Threads are graded by an
explorer that runs them under every schedule that matters.
.
It also makes autograders for services that take them, and proves its graders
by the mistakes that they must catch."
  PACKAGE_ARCHITECTURE all
  PACKAGE_SHLIBDEPS OFF
  PACKAGE_DEPENDS "python3 (>= 3.10), gcc, libc6-dev, binutils, cmake, \
ninja-build, pkgconf, libevent-dev, gdb, iproute2"
  PACKAGE_SUGGESTS "triptych, clang")

set(about_stream "A small C library over libevent for one question: how does
a program stop reading when the other side is slow? Writing never blocks; a
caller that waits for the drain after each write holds a bounded number of
bytes. The semantics are those of asyncio's StreamWriter.")
set(about_coroutine "A small C library with which functions wait in the thread
of a libevent loop without holding it up: code reads straight down as a
thread's does. With deadlines, cancelling, and groups that end together.")

foreach(library ${TRIPTYCH_LIBRARIES})
  set(runtime libtriptych-${library}${PROJECT_VERSION_MAJOR})
  string(APPEND libraries "${runtime} ${this}, ")
  package(${runtime} libs
    "${TRIPTYCH_LIBRARY_${library}}"
    "${about_${library}}
.
This package has the shared library."
    PACKAGE_SHLIBDEPS ON)
  set(shlibs ${CMAKE_BINARY_DIR}/${runtime}/shlibs)
  file(WRITE ${shlibs} "libtriptych-${library} ${PROJECT_VERSION_MAJOR} "
    "${runtime} (>= ${PROJECT_VERSION})\n")
  set(CPACK_DEBIAN_${upper}_PACKAGE_CONTROL_EXTRA
    ${CMAKE_SOURCE_DIR}/packaging/triggers ${shlibs})
endforeach()

package(libtriptych-dev libdevel
  "asyncio's streams and coroutines for libevent, in C (development)"
  "libtriptych-stream:
${about_stream}
.
libtriptych-coroutine:
${about_coroutine}
.
This package has headers, static libraries, files for pkg-config and CMake,
manuals, and two examples: a relay of TCP connections, and an echo server for a
thousand slow readers."
  PACKAGE_SHLIBDEPS OFF
  PACKAGE_DEPENDS "${libraries}libevent-dev (>= 2.1.12)")

include(CPack)

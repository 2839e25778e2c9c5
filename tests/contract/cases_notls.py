"""A build without OpenSSL: https is unsupported, and says so."""

from harness import Server, case, check, equal, expect, main, run


@case
def https_is_unsupported(model):
    def up(c):
        c.request()
        c.send(b"HTTP/1.1 302 Up\r\nLocation: https://127.0.0.1/\r\n"
               b"Content-Length: 0\r\n\r\n")
    with Server(up) as server:
        r = run(model, "https://127.0.0.1/", server.http, "file:///dev/null")
        equal(r.column("attempts")[0], "0", "attempts")
        return expect(r, ["unsupported", "unsupported", "file-error"],
                      err="made without OpenSSL")


@case
def its_options_are_refused(model):
    for args in ["--cacert", "x"], ["--insecure"]:
        r = run(model, *args, "file:///dev/null", report=False)
        equal(r.status, 2, "exit status")
        check("made without OpenSSL" in r.err, r.err)


@case
def help_says_so(model):
    r = run(model, "--help", report=False)
    check(b"https" in r.out and b"--cacert" not in r.out, r.out)


if __name__ == "__main__":
    main()

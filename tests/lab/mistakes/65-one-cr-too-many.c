/*
 * Mistake 65: all CRs before the LF are taken for its line end
 * Lab: protocol
 * File: common/http.c
 * Caught by: a_cr_is_no_line_end
 *
 * Symptom: a proxy and this program see different headers in the same bytes:
 * what one takes for the end of the header, the other takes for a line.
 */

static void line_complete(struct http *http)
{
    struct bytes *line = &http->line;
    line->length--; /* the LF */
    /* 2.2: a lone LF ends a line as well. */
    while (line->length > http->pending &&
           line->data[line->length - 1] == '\r')
        line->length--;
    if (http->state == HTTP_STATUS_LINE) {
        read_status_line(http, (struct span){line->data, line->length});
        line->length = 0;
    } else {
        field_line(http);
    }
}

#pragma once
#include <stdarg.h>
#include <stddef.h>
typedef struct file FILE; /* options.h prints its usage to one */
int snprintf(char *, size_t, const char *, ...);
int vsnprintf(char *, size_t, const char *, va_list);

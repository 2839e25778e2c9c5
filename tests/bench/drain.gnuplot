# What back-pressure does to memory: one picture from what triptych-drain has
# written. Use: gnuplot -e "data='DIR'; kind='svg'" drain.gnuplot
if (kind eq 'svg') {
    set terminal svg size 900,760 font "sans-serif,13" background rgb 'white'
} else {
    set terminal pngcairo size 900,760 font "DejaVu Sans,11"
}
set output data.'/drain.'.kind
memory = data.'/memory.tsv'
teeth = data.'/teeth.tsv'

# Told apart also by those who do not see all colours (Okabe and Ito).
threads = '#0072B2'
processes = '#D55E00'
evloop = '#009E73'
coroutines = '#CC79A7'

# The lines' points are mixed in the file: skip those of others, unbroken.
set datafile missing NaN

set border 3 lc rgb '#606060'
set tics nomirror
set grid ytics lc rgb '#dddddd'
set multiplot

# --- Memory over time: a line for each program, with the marks and without ---

set origin 0, 0.42
set size 1, 0.58
set lmargin 10
set rmargin 3
set title "Memory of each fetcher, into a consumer that reads 20 MB/s" offset 0,-0.4
set ylabel "MiB, all processes"
set xlabel "seconds" offset 0,0.6
set logscale y 10
set yrange [0.2:90000]
set key top right maxrows 4 samplen 2 spacing 1.1
plot memory using ($2):($1==4 ? $3 : NaN) with lines lw 2 dt 2 lc rgb threads   title "threads, none", \
     memory using ($2):($1==5 ? $3 : NaN) with lines lw 2 dt 2 lc rgb processes title "processes, none", \
     memory using ($2):($1==6 ? $3 : NaN) with lines lw 2 dt 2 lc rgb evloop    title "evloop, none", \
     memory using ($2):($1==7 ? $3 : NaN) with lines lw 2 dt 2 lc rgb coroutines title "coroutines, none", \
     memory using ($2):($1==0 ? $3 : NaN) with lines lw 2.5 lc rgb threads   title "threads, 64K", \
     memory using ($2):($1==1 ? $3 : NaN) with lines lw 2.5 lc rgb processes title "processes, 64K", \
     memory using ($2):($1==2 ? $3 : NaN) with lines lw 2.5 lc rgb evloop    title "evloop, 64K", \
     memory using ($2):($1==3 ? $3 : NaN) with lines lw 2.5 lc rgb coroutines title "coroutines, 64K"

# --- One stream between its marks --------------------------------------------

set origin 0, 0
set size 1, 0.42
unset logscale y
set title "The stash of one stream (evloop/stream.c), its consumer at 1 MB/s" offset 0,-0.4
set ylabel "KiB stashed"
set xlabel "milliseconds" offset 0,0.6
set yrange [0:80]
set xrange [0:500]
set ytics 16
unset key
set arrow 1 from 0,64 to 500,64 nohead dt 3 lw 1.5 lc rgb '#606060'
set arrow 2 from 0,16 to 500,16 nohead dt 3 lw 1.5 lc rgb '#606060'
set label 1 "high-water: stop reading" at 497,75 right tc rgb '#606060'
set label 2 "low-water: read on" at 497,4 right tc rgb '#606060'
plot teeth using 1:($2/1024) with lines lw 1.5 lc rgb evloop
unset multiplot

#!/usr/bin/env perl
# Getopt::Long.
use strict;
use Getopt::Long;
my ($out_dir, $lr, $fast, @layers) = ('', 0.5, 1);
GetOptions('out_dir=s' => \$out_dir, 'lr=f' => \$lr, 'fast!' => \$fast, 'layers=i' => \@layers) or exit 2;
mkdir $out_dir;
open(my $file, '>', "$out_dir/summary.txt");
print $file "got_lr $lr\ngot_fast $fast\ngot_layers [", join(', ', @layers), "]\nfinished 1\n";

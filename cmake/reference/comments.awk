# Doxygen reads each header through this: the comments as they stand there, told apart from the code they speak of.

function plain(text) {
  gsub(/&/, "\\&amp;", text)
  gsub(/</, "\\&lt;", text)
  gsub(/>/, "\\&gt;", text)
  gsub(/[\\@#%]/, "\\\\&", text)
  return text
}

# What is indented by three or more is code.
function say(margin, mark, text) {
  if (text ~ /^   / && !in_code) {
    print margin mark " @code{.cpp}"
    in_code = 1
  } else if (in_code && text !~ /^ *$/ && text !~ /^   /) {
    end_code()
  }
  code_end = margin mark " @endcode"
  print margin mark (in_code ? substr(text, 3) : plain(text))
}

function end_code() {
  if (in_code) {
    print code_end
    in_code = 0
  }
}

# Users need not know: what is ours, and what stands outside of our namespace.
/^namespace detail \{/ { end_code(); hidden_until = "^}  // namespace detail" }
/^class boost::|^[a-z].* detail::[a-z_]+::[a-z_]+\(/ { end_code(); hidden_until = "^}" }
hidden_until {
  if ($0 ~ hidden_until) {
    hidden_until = ""
  }
  print ""
  next
}

# Nobody writes the version's namespace.
/^namespace / { sub(/::inline v0/, "") }

FNR == 1 && /^\/\/ / { print "/// @file" }

/^ *\/\/ ----/ { end_code(); trailing = 0; print ""; next }

/^ *\/\// {
  at = index($0, "//")
  say(substr($0, 1, at - 1), at == trailing ? "///<" : "///", substr($0, at + 2))
  next
}

{ end_code(); trailing = 0 }

# Behind code, and perhaps going on in the same column of the next line.
match($0, /[;,{})a-z]  \/\/ [^"]*$/) && !/^ *#/ {
  trailing = RSTART + 3
  say(substr($0, 1, trailing - 1), "///<", substr($0, trailing + 2))
  next
}

{ print }

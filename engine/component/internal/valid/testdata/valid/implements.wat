(component (import "one" (implements "a:b/c") (instance)) (import "two" (implements "a:b/c@1.0.0") (instance)))

;; "1.0" is no version
(component (import "a:b/c@1.0" (instance)))

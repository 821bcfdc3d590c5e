;; "1.0" is no canonical version
(component (import "a:b/c@1.0" (versionsuffix ".0") (instance)))

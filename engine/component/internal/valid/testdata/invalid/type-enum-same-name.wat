;; enum: the name "a" is there twice
(component (type (enum "a" "a")))
